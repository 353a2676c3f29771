# variants: user-bwrap: the identity hardly matters
# other variants: root-bwrap
# The options of isolate: each wrong one gives one line and status 125, and options end where the command begins.

load helpers

@test "a wrong value of an option gives one line that names the option" {
  touch "$SCRATCH/file"
  isolate_refuses engine -- isolate -z debian -e docker true
  isolate_refuses engine -- isolate -z debian --engine '' true
  isolate_refuses -- isolate -z debian -d no-target true
  isolate_refuses -- isolate -z debian -d /etc: true
  isolate_refuses -- isolate -z debian -d :/etc true
  isolate_refuses -- isolate -z debian -d /etc:/x:nonsense true
  isolate_refuses -- isolate -z debian -v NO-NAME true
  isolate_refuses -- isolate -z debian -v =value true
  isolate_refuses -- isolate -z debian -v :value true
  isolate_refuses -- isolate -z debian -p /no/such/place true
  isolate_refuses -- isolate -z debian -p /etc/passwd true
  isolate_refuses userns -- isolate -z debian --userns=sometimes true
  isolate_refuses CAP_NONSENSE -- isolate -z debian --cap-add CAP_NONSENSE true
  isolate_refuses nonsense -- isolate -z debian --cap-drop chown,nonsense true
  isolate_refuses status-fd -- isolate -z debian --status-fd 99 true
  isolate_refuses status-fd -- isolate -z debian --status-fd -1 true
  isolate_refuses status-fd -- isolate -z debian --status-fd one true
  isolate_refuses "$SCRATCH/file" -- isolate -t "$SCRATCH/file" true
  isolate_refuses /no/such/root -- isolate -t /no/such/root true
}

@test "invalid template names are refused" {
  isolate_refuses -- isolate -z '' true
  isolate_refuses -- isolate -z ../templates/debian true
  isolate_refuses -- isolate -z /etc true
  isolate_refuses -- isolate -z .hidden true
  isolate_refuses -- isolate -z "$(printf 'x%.0s' {1..300})" true
  isolate_refuses nosuch -- isolate -z nosuch true
}

@test "a control byte in a template name does not reach the terminal" {
  isolate_refuses -- isolate -z $'deb\nian' true
  isolate_refuses -- isolate -z $'deb\e[2Jian' true
  [[ $stderr != *$'\e'* ]] || complain "an escape byte was printed"
}

@test "unknown options and options without their value are refused" {
  isolate_refuses nonsense -- isolate --nonsense true
  isolate_refuses -- isolate -Z true
  isolate_refuses -- isolate -z
  isolate_refuses -- isolate --template
  isolate_refuses -- isolate -z debian -e
}

@test "without a command or a template nothing runs" {
  isolate_refuses command -- isolate -z debian
  isolate_refuses command -- isolate -z debian ''
  isolate_refuses template -- isolate true
}

@test "windows and sound are refused with one line where there is no session" {
  local option
  for option in -1 --x11 -2 --pulse --pipewire --wayland; do
    isolate_refuses "isolate: error: --" "not set" -- isolate -z debian $option true
  done
}

@test "option parsing stops at the first word that is not an option" {
  succeeds in_clone printf '%s|' -h --version -z x --
  expect_output '-h|--version|-z|x|--|'
}

@test "-- ends the options, and what follows is a command whatever it looks like" {
  succeeds in_clone -- printf '%s|' a -q
  expect_output 'a|-q|'
  run -127 --separate-stderr in_clone -- A=B true
  run -127 --separate-stderr in_clone -- --bind / /
}

@test "arguments reach the command unchanged" {
  succeeds in_clone printf '<%s>' '' ' ' 'a b' '$HOME' '`id`' $'line\nbreak' '"' "'" '*'
  expect_output $'<>< ><a b><$HOME><`id`><line\nbreak><"><\'><*>'
}

@test "long names and values after = mean the same as short ones" {
  mkdir "$SCRATCH/bound"
  succeeds isolate --quiet --engine=bwrap --template=debian --env=A:1 --env B=2 --bind "$SCRATCH/bound:/bound" \
    --chdir=/usr --share-net sh -c 'echo "$A$B $PWD"; test -d /bound'
  expect_output '12 /usr'
}

@test "short options can share a word and include their value" {
  succeeds isolate -qnzdebian -vA=1 -p/usr sh -c 'echo "$A $PWD"'
  expect_output '1 /usr'
}

@test "-x prints the system calls and their results on stderr, and nothing on stdout" {
  succeeds isolate -x -z debian echo done
  expect_output done
  expect_in_errors mount
  expect_in_errors '= '
  [[ ${#stderr_lines[@]} -gt 10 ]] || complain "expected more than ten lines of trace"
}

@test "-x prints the system call that failed" {
  run --separate-stderr isolate -x -z debian -d /no/such/source:/x true
  expect_status 125
  expect_in_errors 'no such file'
}

@test "a successful run prints nothing, with and without -q" {
  succeeds isolate -q -z debian true
  expect_output ''
  expect_no_errors
  succeeds isolate -z debian true
  expect_output ''
  [[ $stderr != *error* && $stderr != *warning* ]] || complain "expected no errors and no warnings"
}

@test "-q does not suppress warnings" {
  succeeds isolate -q -e chroot -z debian true
  expect_in_errors 'isolate: warning:'
}

@test "--dry-run prints the plan and makes nothing" {
  local before
  before=$(find "$STORE" -path '*/layers/*' -prune -o -print | sort)
  mkdir "$SCRATCH/bound"
  succeeds isolate --dry-run -z debian -d "$SCRATCH/bound:/made/here" -v A:canary touch /bound/file
  expect_in_output debian
  expect_in_output "$SCRATCH/bound"
  expect_in_output /made/here
  expect_in_output 'touch'
  [[ $(find "$STORE" -path '*/layers/*' -prune -o -print | sort) == "$before" ]]
  [[ -z $(ls "$SCRATCH/bound") ]]
  succeeds isolate --dry-run -e chroot -t "$TREE" touch /made-by-dry-run
  [[ ! -e $TREE/made-by-dry-run ]]
}

@test "--dry-run reports errors as well" {
  isolate_refuses nosuch -- isolate --dry-run -z nosuch true
}

@test "--timings prints the microseconds of each step" {
  succeeds isolate -q --timings -z debian echo done
  expect_output done
  local line steps=0
  for line in "${stderr_lines[@]}"; do
    [[ $line =~ ^timing:\ [a-z][a-z0-9_-]*\ [0-9]+$ ]] || complain "not a line of timings: $line"
    [[ ${line##* } -lt 60000000 ]]
    steps=$((steps + 1))
  done
  [[ $steps -ge 3 ]] || complain "expected at least three steps"
}

@test "--version and --help work, and help names every option" {
  succeeds as_caller "$ISOLATE" --version
  [[ $output =~ ^isolate\ [0-9]+\.[0-9]+ ]] || complain "not a version"
  local option help
  succeeds as_caller "$ISOLATE" --help
  help=$output
  expect_no_errors
  for option in -e -t -z -d -v -p -u -g -n -i -x -q -h -1 -2 -r -f -s --engine --template-dir --template --bind --env \
    --chdir --uid-base --gid-base --share-net --ignore-sigint --trace --quiet --help --version --x11 --pulse --refresh \
    --force --no-create --dry-run --timings --status-fd --keep --sync --read-only --userns --cap-add --cap-drop --store; do
    [[ $help =~ (^|[^a-z0-9-])$option($|[^a-z0-9-]) ]] || complain "help does not name $option"
  done
  succeeds as_caller "$ISOLATE" -h
  [[ $output == "$help" ]]
}
