# variants: user-bwrap root-lxc root-native: each identity and each engine once, as no test depends on the pair
# other variants: root-bwrap user-lxc user-native root-warm user-warm
# What a command gets from the process that started isolate: ignored and blocked signals, and arguments and variables of
# any length that Linux accepts.

# shellcheck disable=SC2016  # for shells in guests

load helpers

# caller_shell SCRIPT ARGUMENT...: runs the script in a shell as the caller, with isolate as "$0".
caller_shell() { as_caller sh -c "$1" "$ISOLATE" "${@:2}"; }
is_up() { [[ -e $SCRATCH/up ]]; }

@test "signals that the caller ignores are ignored by the command and by isolate" {
  local engine
  chmod 0777 "$SCRATCH"
  for engine in "$ENGINE" chroot; do
    # nohup ignores SIGHUP. A shell without job control ignores SIGINT and SIGQUIT for what it starts in the background.
    start nohup "$ISOLATE" --store "$STORE" -q -e "$engine" -z debian -d "$SCRATCH:/d" \
      sh -c 'touch /d/up; sleep 1; echo survived'
    wait_until 15 is_up
    kill -HUP "$STARTED_PID"
    end_of_started
    [[ $STATUS == 0 && $(cat "$SCRATCH/out") == survived ]] || complain "$engine, SIGHUP: $STATUS"
    rm "$SCRATCH/up"
    # shellcheck disable=SC2016  # for the shells below
    start sh -c '"$@" & echo $! >"$0/pid"; wait $!' "$SCRATCH" "$ISOLATE" --store "$STORE" -q -e "$engine" -z debian \
      -d "$SCRATCH:/d" sh -c 'touch /d/up; sleep 1; echo survived'
    wait_until 15 is_up
    kill -INT "$(cat "$SCRATCH/pid")"
    kill -QUIT "$(cat "$SCRATCH/pid")"
    end_of_started
    [[ $STATUS == 0 && $(cat "$SCRATCH/out") == survived ]] || complain "$engine, SIGINT: $STATUS"
    rm "$SCRATCH/up"
  done
}

@test "signals that the caller does not ignore still end the command" {
  start_isolate -q -z debian sleep "$MARK"
  wait_until 10 a_guest_sleeps
  kill_started HUP
  [[ $STATUS == 129 ]] || complain "$STATUS"
  start nohup "$ISOLATE" --store "$STORE" -q -z debian sleep "$MARK"
  wait_until 10 a_guest_sleeps
  kill_started TERM
  [[ $STATUS == 143 ]] || complain "$STATUS"
}

@test "the command inherits the caller's ignored and blocked signals, and none of isolate's" {
  local engine words
  for engine in "$ENGINE" chroot; do
    words=(-q --store "$STORE" -e "$engine" -z debian grep -E '^Sig(Blk|Ign):' /proc/self/status)
    succeeds caller_shell 'exec "$0" "$@"' "${words[@]}"
    expect_output $'SigBlk:\t0000000000000000\nSigIgn:\t0000000000000000'
    # The values that env passes on: HUP 1, INT 2, PIPE 13, CHLD 17, TTOU 22; USR1 10, TERM 15.
    succeeds as_caller env --ignore-signal=HUP,INT,PIPE,CHLD,TTOU --block-signal=USR1,TERM "$ISOLATE" "${words[@]}"
    expect_output $'SigBlk:\t0000000000004200\nSigIgn:\t0000000000211003'
    succeeds as_caller env --ignore-signal=HUP,INT,PIPE,CHLD,TTOU --block-signal=USR1,TERM "$ISOLATE" --pty "${words[@]}"
    expect_in_output 'SigIgn:	0000000000211003'
  done
}

@test "a signal that the caller blocks stays pending for the command" {
  chmod 0777 "$SCRATCH"
  start env --block-signal=TERM "$ISOLATE" --store "$STORE" -q -z debian -d "$SCRATCH:/d" \
    bash -c 'touch /d/up; sleep 1; grep SigBlk /proc/self/status; grep ShdPnd /proc/$$/status'
  wait_until 10 is_up
  kill -TERM "$STARTED_PID"
  end_of_started
  [[ $STATUS == 0 && $(cat "$SCRATCH/out") == *SigBlk:*4000*ShdPnd:*4000* ]] || complain "$STATUS, $(cat "$SCRATCH/out")"
}

@test "a further command gets the signal settings of the isolatectl that starts it" {
  start_isolate -q -z debian sh -c "echo up; exec sleep $MARK"
  wait_until 15 grep -qx up "$SCRATCH/out"
  local clone
  clone=$(isolatectl --json ps | jq -r '.[0].clone')
  succeeds as_caller env --ignore-signal=HUP,USR2 --block-signal=USR1 "$ISOLATECTL" --store "$STORE" exec "$clone" \
    grep -E '^Sig(Blk|Ign):' /proc/self/status
  expect_output $'SigBlk:\t0000000000000200\nSigIgn:\t0000000000000801'
  kill_started TERM
}

@test "hooks ignore the signals that the caller ignores" {
  run with_variables PRE_SPAWN_HOOK='grep ^SigIgn /proc/self/status' -- -q -z debian true
  expect_output $'SigIgn:\t0000000000000000'
  succeeds as_caller env --ignore-signal=HUP PRE_SPAWN_HOOK='grep ^SigIgn /proc/self/status' "$ISOLATE" \
    --store "$STORE" -q -z debian true
  expect_output $'SigIgn:\t0000000000000001'
}

@test "an edit of a template ignores the signals that the caller ignores" {
  [[ $ENGINE != lxc ]] || return 0
  isolatectl template create hangup --from "$TREE-small"
  start nohup "$ISOLATECTL" --store "$STORE" template edit hangup -- sh -c "echo >/edited; echo up; sleep 1"
  wait_until 15 grep -qx up "$SCRATCH/out"
  kill -HUP "$STARTED_PID"
  end_of_started
  [[ $STATUS == 0 ]] || complain "$STATUS"
  succeeds isolate -q -z hangup test -e /edited
  isolatectl template remove hangup
}

# --- arguments and variables ------------------------------------------------------------------------------------------

@test "a command can have 20000 arguments, and one of 128 KiB" {
  local engine word
  word=$(head -c 131071 /dev/zero | tr '\0' x)
  for engine in "$ENGINE" chroot; do
    # shellcheck disable=SC2046
    succeeds isolate -q -e "$engine" -z debian sh -c 'echo $#' x $(seq 1 20000)
    expect_output 20000
    succeeds isolate -q -e "$engine" -z debian sh -c 'echo ${#1} ${#2}' x "$word" ''
    expect_output '131071 0'
    # shellcheck disable=SC2046
    succeeds isolate -q -e "$engine" -z debian sh -c 'echo $#' x $(seq 1000000 1000180) "$word" "$word" "$word" "$word" \
      "$word" "$word" "$word" "$word" "$word" "$word" "$word" "$word" "$word" "$word"
    expect_output 195
    succeeds isolate -q -e "$engine" -v "LONG=${word:5}" -z debian sh -c 'echo ${#LONG}'
    expect_output 131066
  done
}

@test "the command's arguments appear in no other command line" {
  start_isolate -q -z debian sh -c "sleep $MARK; : word-$MARK"
  wait_until 10 a_guest_sleeps
  # Expect only isolate itself, as the caller started it, and the command.
  run pgrep --full --list-full "word-$MARK"
  refute grep -E 'bwrap|isolate-init|isolate-lxc' <<<"$output"
  kill_started TERM
}

@test "arguments that are too long for Linux are reported in one line" {
  local engine
  for engine in "$ENGINE" chroot; do
    # shellcheck disable=SC2016,SC2046
    fails_plainly 126 isolate true 'too long' -- caller_shell 'exec "$0" --ulimit stack=1048576 "$@"' -q --store "$STORE" \
      -e "$engine" -z debian true $(seq 1000000 1050000)
  done
}

@test "isolatectl exec accepts as many arguments as execve" {
  local clone word
  start_isolate -q -z debian sh -c "echo up; exec sleep $MARK"
  wait_until 15 grep -qx up "$SCRATCH/out"
  clone=$(isolatectl --json ps | jq -r '.[0].clone')
  word=$(head -c 131071 /dev/zero | tr '\0' x)
  # shellcheck disable=SC2046
  succeeds isolatectl exec "$clone" sh -c 'echo $# ${#1}' x "$word" $(seq 1 100000)
  expect_output '100001 131071'
  succeeds isolatectl exec -v "LONG=${word:5}" "$clone" sh -c 'echo ${#LONG}'
  expect_output 131066
  kill_started TERM
}

# --- supplementary groups ---------------------------------------------------------------------------------------------

# A group that the caller is in and that no map contains, with a directory, a path and a device that only it may use.
GROUP=54321
make_group_files() {
  local words=("${CALLER[@]/--init-groups/--groups=$GROUP}")
  [[ $IDENTITY == user ]] || words=("${CALLER[@]}")
  GROUPED=("${words[@]}" "$ISOLATE" --store "$STORE" -q -z debian)
  mkdir "$SCRATCH/shared" "$SCRATCH/way" "$SCRATCH/way/open" "$SCRATCH/plain"
  echo content | tee "$SCRATCH/shared/f" >"$SCRATCH/way/open/f"
  mknod "$SCRATCH/device" c 1 5
  chown -R "root:$GROUP" "$SCRATCH"/{shared,way,device}
  chmod 2770 "$SCRATCH/shared"
  chmod 0640 "$SCRATCH/shared/f"
  chmod 0710 "$SCRATCH/way"
  chmod 0660 "$SCRATCH/device"
}
NO_GROUPS=$'Groups:\t '
GROUPS_KEPT=$'Groups:\t65534 '
with_group() { "${GROUPED[@]}" "$@"; }

@test "a bound directory, path and device of a supplementary group can be used" {
  make_group_files
  local options
  for options in '' '-e chroot' '--userns=private' '--userns=private -e chroot'; do
    # shellcheck disable=SC2086
    succeeds with_group $options -d "$SCRATCH/shared:/x" sh -c 'cat /x/f; echo new >/x/new; cat /x/new'
    expect_output $'content\nnew'
    rm "$SCRATCH/shared/new"
    if [[ $options != *private* ]]; then
      # shellcheck disable=SC2086
      succeeds with_group $options -d "$SCRATCH/way/open:/x:ro" cat /x/f
      expect_output content
    fi
    # The device belongs to root, and root's guest has other ids than root.
    [[ $IDENTITY == user ]] || continue
    # shellcheck disable=SC2086
    succeeds with_group $options -d "$SCRATCH/device:/dev/zz" sh -c 'head -c 3 /dev/zz | wc -c'
    expect_output 3
  done
}

@test "a further command has the groups of the run" {
  [[ $IDENTITY == user ]] || return 0
  make_group_files
  local CALLER=("${CALLER[@]/--init-groups/--groups=$GROUP}")
  start_isolate -q -z debian -d "$SCRATCH/shared:/x" sh -c "echo up; exec sleep $MARK"
  wait_until 15 grep -qx up "$SCRATCH/out"
  succeeds isolatectl exec "$(isolatectl --json ps | jq -r '.[0].clone')" cat /x/f
  expect_output content
  kill_started TERM
}

@test "U2: the guest has no groups of the caller unless a bind depends on one" {
  make_group_files
  local options
  for options in '' "-d $SCRATCH/plain:/x" "-d $SCRATCH/plain:/x --userns=private" '-e chroot' '--groups=drop'; do
    # shellcheck disable=SC2086
    succeeds with_group $options grep ^Groups: /proc/self/status
    expect_output "$NO_GROUPS"
  done
  # Root's runs never have any of the caller's groups.
  [[ $IDENTITY == root ]] || return 0
  for options in "-d $SCRATCH/shared:/x" --groups=keep; do
    # shellcheck disable=SC2086
    succeeds setpriv "--groups=$GROUP" "${GROUPED[@]}" $options grep ^Groups: /proc/self/status
    expect_output "$NO_GROUPS"
  done
}

@test "--groups=keep always keeps the groups; --groups=drop never does, and warns with the bind's name" {
  isolate_refuses groups sometimes -- isolate --groups=sometimes -z debian true
  [[ $IDENTITY == user ]] || return 0
  make_group_files
  succeeds with_group --groups=keep grep ^Groups: /proc/self/status
  expect_output "$GROUPS_KEPT"
  succeeds with_group -d "$SCRATCH/shared:/x" grep ^Groups: /proc/self/status
  expect_output "$GROUPS_KEPT"
  run --separate-stderr with_group --groups=drop -d "$SCRATCH/plain:/y" -d "$SCRATCH/shared:/x" cat /x/f
  [[ $status != 0 ]] || complain "it was read"
  expect_not_in_output content
  grep -q "^isolate: warning: bind $SCRATCH/shared: .*--groups=drop" <<<"$stderr" || complain "no warning"
}

@test "U2: with a single id the kernel keeps the groups, and --groups=drop is refused" {
  [[ $IDENTITY == user ]] || return 0
  local words=("${CALLER[@]/--init-groups/--groups=$GROUP}")
  succeeds "${words[@]}" "$ISOLATE" -q --userns=single -t "$TREE" grep ^Groups: /proc/self/status
  expect_output "$GROUPS_KEPT"
  isolate_refuses --groups=drop single -- "${words[@]}" "$ISOLATE" -q --userns=single --groups=drop -t "$TREE" true
}

# --- the rest of the caller -------------------------------------------------------------------------------------------

@test "-v NAME passes a variable on unchanged, and sets nothing if the caller does not have it" {
  succeeds with_variables http_proxy=http://p:3128 'ODD= a=b:c ' -- -q -z debian -v http_proxy -v ODD -v NO_PROXY \
    sh -c 'echo "$http_proxy|$ODD|${NO_PROXY-unset}|${LANG-}"'
  expect_output 'http://p:3128| a=b:c |unset|C.UTF-8'
  # A value that was set earlier stays if the caller does not have the variable.
  succeeds with_variables A=1 -- -q -z debian -v B=2 -v A -v B sh -c 'echo $A $B'
  expect_output '1 2'
  isolate_refuses name -- isolate -z debian -v NO-NAME true
  mkdir -p "$SCRATCH/config/isolate"
  echo 'env = ["https_proxy"]' >"$SCRATCH/config/isolate/config.toml"
  succeeds with_variables https_proxy=s "XDG_CONFIG_HOME=$SCRATCH/config" -- -q -e "$ENGINE" -z debian \
    sh -c 'echo "$https_proxy"'
  expect_output s
}

@test "template edit and exec take variables as well" {
  [[ $ENGINE != lxc ]] || return 0
  local edit=(as_caller env http_proxy=p "$ISOLATECTL" --store "$STORE")
  isolatectl template create variables --from "$TREE-small"
  # shellcheck disable=SC2016
  succeeds "${edit[@]}" template edit -v http_proxy --env A=1 -v no_proxy variables -- \
    sh -c 'echo "$http_proxy $A ${no_proxy-unset}"'
  expect_in_output 'p 1 unset'
  isolatectl template remove variables
  start_isolate -q -z debian sh -c "echo up; exec sleep $MARK"
  wait_until 15 grep -qx up "$SCRATCH/out"
  # shellcheck disable=SC2016
  succeeds "${edit[@]}" exec -v http_proxy "$(isolatectl --json ps | jq -r '.[0].clone')" sh -c 'echo "$http_proxy"'
  expect_output p
  kill_started TERM
}

@test "without HOME the home directory of the user database is used" {
  if [[ $IDENTITY == root ]]; then
    # Root's store does not depend on HOME.
    succeeds as_caller env -u HOME -u XDG_CONFIG_HOME "$ISOLATE" --store "$STORE" -q -e "$ENGINE" -z debian echo ran
  else
    succeeds as_caller env -u HOME -u XDG_DATA_HOME "$ISOLATE" -q -z debian echo ran
  fi
  expect_output ran
  succeeds as_caller env -u XDG_CONFIG_HOME -u XDG_DATA_HOME HOME=relative "$ISOLATE" --store "$STORE" -q -e "$ENGINE" \
    -z debian echo ran
  expect_output ran
}

@test "after newgrp or sg with another primary group, the error says that newuidmap refuses it" {
  [[ $IDENTITY == user ]] || return 0
  local words=("${CALLER[@]/--regid=$CALLER_GID/--regid=54321}")
  isolate_refuses newuidmap 'primary group' 54321 -- "${words[@]}" "$ISOLATE" --store "$STORE" -z debian true
  [[ $stderr != */etc/subuid* ]]
  [[ ${#stderr_lines[@]} == 1 ]] || complain "more than one line"
}

# few_ids COMMAND...: runs the command as root of a user namespace with 65536 ids, as containers have it, in its own
# mount namespace.
few_ids() {
  perl -e 'pipe(my $go, my $went) && pipe(my $there, my $arrived) or die; my $child = fork;
    if (!$child) {
      syscall(272, 0x10020000) == 0 or die "unshare: $!";  # CLONE_NEWUSER | CLONE_NEWNS
      close $arrived; sysread $go, my $byte, 1;
      $) = "0 0"; $( = 0; $< = $> = 0; exec @ARGV or die "exec: $!";
    }
    close $arrived; sysread $there, my $byte, 1;
    for (qw(uid gid)) { open my $map, ">", "/proc/$child/${_}_map" or die; syswrite $map, "0 700000 65536\n" }
    syswrite $went, "x"; waitpid $child, 0; exit($? >> 8)' "$@" 3>&-
}

@test "root of a container with 65536 ids can run guests as an ordinary user does, and isolate warns of the limits" {
  [[ $IDENTITY == root ]] || return 0
  local engine
  isolatectl --store "$SCRATCH/store" template create few --from "$TREE-small"
  chown -R --no-dereference 700000:700000 "$SCRATCH"
  mkdir "$SCRATCH/home" "$SCRATCH/dir"
  echo host >"$SCRATCH/dir/file"
  chown -R 700000:700000 "$SCRATCH"/{home,dir}
  for engine in "$ENGINE" chroot; do
    succeeds few_ids env "HOME=$SCRATCH/home" sh -c 'mount -t tmpfs run /run && exec "$@"' sh "$ISOLATE" \
      --store "$SCRATCH/store" -q -e "$engine" -z few -d "$SCRATCH/dir:/x" \
      sh -c 'id -u; touch /made /x/made; stat -c %u:%g /made /x/made; cat /x/file; head -n 1 /proc/self/uid_map'
    [[ ${lines[0]} == 0 && ${lines[1]} == 0:0 && ${lines[2]} == 0:0 && ${lines[3]} == host ]] || complain "$engine"
    [[ $(stat -c %u "$SCRATCH/dir/made") == 700000 ]] || complain "$engine: owner"
    [[ $engine == chroot ]] || expect_in_errors 'warning: root has no range of ids'
  done
  # The error names the missing id.
  # shellcheck disable=SC2016
  fails_plainly 125 isolate 70000 'user namespace' -- few_ids env "HOME=$SCRATCH/home" \
    sh -c 'mount -t tmpfs run /run && exec "$@"' sh "$ISOLATE" --store "$SCRATCH/store" -q -u 70000 -z few true
}

# In a container the kernel refuses an inner run its own /proc.
@test "isolate inside a bwrap guest names the option that the outer run needs, and works with it" {
  [[ $ENGINE != lxc ]] || return 0
  local inner=(-q -z debian -d "$BINDIR:/opt/bin:ro" -d "$TREE-small:/opt/tree:ro" -d /usr/bin/bwrap
    -d /usr/lib/x86_64-linux-gnu/libcap.so.2)
  # A build with sanitizers is not static, so it needs its libraries.
  local library
  for library in $(ldd "$BINDIR/isolate" 2>/dev/null | grep -o '/[^ ]*'); do inner+=(-d "$library:$library:ro"); done
  local nested=(/opt/bin/isolate -q --read-only -t /opt/tree sh -c 'echo in the inner; id -u; ls -d /proc/[0-9]* | wc -l')
  run --separate-stderr isolate "${inner[@]}" "${nested[@]}"
  expect_status 125
  expect_in_errors '--seccomp=tty'
  run --separate-stderr isolate "${inner[@]}" --seccomp=tty "${nested[@]}"
  expect_status 0
  [[ ${lines[0]} == 'in the inner' && ${lines[1]} == 0 && ${lines[2]} -le 5 ]] || complain "the inner run"
}
