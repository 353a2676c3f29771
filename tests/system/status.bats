# variants: root-bwrap: the identity hardly matters
# other variants: user-bwrap
# The exit status is the command's; input and output are the caller's.

load helpers

@test "the command's exit code becomes isolate's" {
  local code
  for code in 0 1 3 77 124 255; do
    run --separate-stderr in_clone sh -c "exit $code"
    expect_status "$code"
    expect_no_errors
  done
}

@test "a command ended by signal N gives 128+N" {
  local name
  for name in HUP INT QUIT KILL SEGV PIPE TERM ABRT USR1; do
    run --separate-stderr in_clone sh -c "kill -$name \$\$"
    expect_status $((128 + $(kill -l "$name")))
  done
}

@test "a command that crashes gives 128+N as well" {
  run --separate-stderr in_clone perl -e 'unpack("p", pack("Q", 8))'
  expect_status 139
}

@test "a missing command gives 127 and one line" {
  run -127 --separate-stderr in_clone no-such-command
  expect_in_errors no-such-command
  one_error_line isolate
  run -127 --separate-stderr in_clone /no/such/command
  expect_in_errors /no/such/command
  one_error_line isolate
}

@test "a command that can't be executed gives 126 and one line" {
  local command
  for command in /etc/passwd /usr; do
    run --separate-stderr in_clone "$command"
    expect_status 126
    expect_in_errors "$command"
    one_error_line isolate
  done
  # A file in PATH that may not be executed gives the same status as in a shell.
  run --separate-stderr in_clone -v PATH=/etc passwd
  expect_status 126
}

@test "a program for another machine gives 126" {
  # The header of a program for a processor that does not exist.
  printf '\x7fELF\x02\x01\x01\0\0\0\0\0\0\0\0\0\x02\0\xff\xfe\x01\0\0\0' >"$SCRATCH/program"
  head -c 200 /dev/zero >>"$SCRATCH/program"
  chmod 0755 "$SCRATCH/program"
  run --separate-stderr in_clone -d "$SCRATCH/program:/program" /program
  expect_status 126
  one_error_line isolate
}

@test "a script with a missing interpreter gives one line, and 126 or 127 as in a shell" {
  printf '#!/no/such/interpreter\n' >"$SCRATCH/script"
  chmod 0755 "$SCRATCH/script"
  run --separate-stderr in_clone -d "$SCRATCH/script:/script" /script
  [[ $status == 126 || $status == 127 ]] || complain "expected 126 or 127"
  expect_in_errors /script
  one_error_line isolate
}

@test "/bin/sh runs a script without #!, directly, from PATH and when it is empty" {
  mkdir "$SCRATCH/bin"
  echo 'echo "$0 $1 $#"; exit 5' >"$SCRATCH/bin/script"
  : >"$SCRATCH/bin/empty"
  chmod 0755 "$SCRATCH/bin" "$SCRATCH"/bin/*
  run --separate-stderr in_clone -d "$SCRATCH/bin:/opt/bin" /opt/bin/script argument ''
  expect_status 5
  expect_output '/opt/bin/script argument 2'
  run --separate-stderr in_clone -d "$SCRATCH/bin:/opt/bin" -v PATH=/nowhere:/opt/bin:/bin script argument
  expect_status 5
  expect_output '/opt/bin/script argument 1'
  run --separate-stderr in_clone -d "$SCRATCH/bin:/opt/bin" /opt/bin/empty
  expect_status 0
}

@test "a script is run by its interpreter" {
  printf '#!/bin/sh\necho "$0 $1"; exit 5\n' >"$SCRATCH/script"
  chmod 0755 "$SCRATCH/script"
  run --separate-stderr in_clone -d "$SCRATCH/script:/script" /script argument
  expect_status 5
  expect_output '/script argument'
}

@test "large input and output pass unchanged" {
  head -c 20000000 /dev/urandom >"$SCRATCH/data"
  in_clone cat <"$SCRATCH/data" >"$SCRATCH/copy"
  cmp "$SCRATCH/data" "$SCRATCH/copy"
}

@test "the command's stderr is kept apart from stdout" {
  succeeds in_clone sh -c 'echo out; echo err >&2'
  expect_output out
  [[ $stderr == err ]] || complain "stderr"
}

@test "when the reader of its output goes away, the run ends" {
  local status=0
  timeout 20 "${CALLER[@]}" "$ISOLATE" --store "$STORE" -q -z debian yes "$MARK" | head -n 1 >/dev/null || status=$?
  [[ ${status} == 0 ]]
  wait_until 3 no_process_with "$MARK"
}

@test "the command inherits the caller's umask and limits" {
  succeeds as_caller sh -c 'umask 027; ulimit -n 321; exec "$@"' sh "$ISOLATE" --store "$STORE" -q -z debian \
    sh -c 'umask; ulimit -n'
  expect_output $'0027\n321'
}

@test "signals that the caller ignores or blocks do not hinder the run" {
  succeeds as_caller env --ignore-signal=CHLD,PIPE,TERM --block-signal=CHLD,TERM,INT "$ISOLATE" --store "$STORE" -q \
    -z debian sh -c 'true; echo done'
  expect_output done
}
