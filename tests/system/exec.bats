# variants: user-bwrap root-lxc root-native user-warm: each identity and each engine once, as no test depends on the pair
# other variants: root-bwrap user-lxc user-native root-warm
# isolatectl exec: further commands in a running guest, with its confinement, their own terminals and exact exit
# statuses.

load helpers

# start_guest OPTION...: starts a run that sleeps. Its clone is in CLONE.
start_guest() {
  start_isolate -q "$@" -z debian sh -c "echo up; exec sleep $MARK"
  guest_is_up
}
# Ask isolatectl for the clone, because with the chroot engine a guest does not know its name.
guest_is_up() {
  wait_until 15 grep -qx up "$SCRATCH/out"
  CLONE=$(isolatectl --json ps | jq -r '.[0].clone')
  words_of_exec
}
end_guest() {
  isolatectl kill "$CLONE"
  end_of_started 2>/dev/null
  no_process_with "^sleep $MARK"
}
in_guest() { isolatectl exec "$@"; }
start_exec() { start "${EXEC[@]:${#CALLER[@]}}" "$@"; }
# not_executed STATUS LEASE COMMAND...: expects the status that a shell has for a command that can't be executed.
not_executed() {
  run "-$1" --separate-stderr in_guest "${@:2}"
  one_error_line isolatectl
}
refuses() { fails_plainly 125 isolatectl "$@"; }

@test "a command in a running guest has its own output, input and exit status" {
  local engine number
  for engine in "$ENGINE" chroot; do
    start_guest -e "$engine"
    succeeds in_guest "$CLONE" sh -c 'echo out; echo err >&2; cat /proc/1/comm'
    [[ ${lines[0]} == out && $stderr == err && ${lines[1]} == isolate-init ]] || complain "$engine"
    [[ $(echo text | in_guest "$CLONE" cat) == text ]]
    [[ $(head -c 3000000 /dev/zero | in_guest "$CLONE" cat | wc -c) == 3000000 ]]
    for number in 0 1 42 255; do
      run in_guest "$CLONE" sh -c "exit $number"
      expect_status "$number"
    done
    run in_guest "$CLONE" sh -c 'kill -TERM $$'
    expect_status 143
    # /bin/sh runs a script without "#!".
    in_guest "$CLONE" sh -c 'echo "echo \$0 \$1; exit 9" >/tmp/script; chmod 0755 /tmp/script'
    run in_guest "$CLONE" /tmp/script argument
    expect_status 9
    expect_output '/tmp/script argument'
    not_executed 127 "$CLONE" no-such-command
    expect_in_errors 'no-such-command: not found'
    not_executed 126 "$CLONE" /etc/passwd
    expect_in_errors /etc/passwd
    end_guest
  done
}

@test "isolatectl does not interpret the command's options" {
  start_guest
  succeeds in_guest "$CLONE" echo -t -p --store x -- y
  expect_output '-t -p --store x -- y'
  succeeds in_guest "$CLONE" -- echo -n x
  expect_output x
  succeeds as_caller "$ISOLATECTL" exec --store "$STORE" "$CLONE" echo exec -v
  expect_output 'exec -v'
  end_guest
}

@test "directory and environment are those of the run, and options change them" {
  start_guest -p /usr/lib -v ONE:1 -v TWO:2
  succeeds in_guest "$CLONE" sh -c 'pwd; echo "$ONE $TWO $HOME $PATH"; env | grep -c ^TWO='
  expect_output $'/usr/lib\n1 2 /root /usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin\n1'
  succeeds in_guest -p /etc -v TWO=zwei -v THREE:3 -v EMPTY= "$CLONE" sh -c 'pwd; echo "$ONE $TWO $THREE"; env | grep -c "^TWO=\|^EMPTY=$"'
  expect_output $'/etc\n1 zwei 3\n2'
  refuses 'working directory /nowhere' -- in_guest -p /nowhere "$CLONE" true
  refuses "begins with '/'" -- in_guest -p etc "$CLONE" true
  refuses '=x' -- in_guest -v =x "$CLONE" true
  # A new PATH also decides where the command is looked up.
  succeeds in_guest -v PATH=/nowhere "$CLONE" /bin/echo x
  not_executed 127 -v PATH=/nowhere "$CLONE" echo x
  end_guest
}

# Prints the rights of a process, and tries things that it may not do.
RIGHTS='grep -E "^(Cap|NoNewPrivs|Seccomp|Groups|Uid|Gid)" /proc/self/status; ulimit -c; ulimit -n; umask
  cat /proc/self/uid_map; for n in cgroup ipc mnt net pid user uts; do readlink /proc/self/ns/$n; done'

@test "a further command has exactly the rights of the first one: capabilities, filters, limits, namespaces" {
  local engine options
  for engine in "$ENGINE" chroot; do
    for options in '' '--cap-drop ALL' '--cap-add NET_ADMIN --seccomp default' '--ulimit nofile=77 --ulimit core=0'; do
      # shellcheck disable=SC2086 # options are words
      start_isolate -q -e "$engine" $options -z debian sh -c "($RIGHTS); echo up; exec sleep $MARK"
      guest_is_up
      succeeds in_guest "$CLONE" sh -c "$RIGHTS"
      [[ $output == "$(sed '/^up$/d' "$SCRATCH/out")" ]] ||
        complain "$engine $options: $(diff <(echo "$output") "$SCRATCH/out")"
      end_guest
    done
  done
}

@test "a further command has only its own three descriptors, inside and on the host" {
  start_guest
  run bash -c 'exec 7</etc/passwd 8</; exec "$@"' bash "${EXEC[@]}" \
    sh -c 'ls /proc/self/fd; ls /proc/$$/fd'
  expect_output $'0\n1\n2\n3\n0\n1\n2'
  end_guest
}

@test "a guest can run up to 64 further commands at a time" {
  local number clients=()
  start_guest
  for number in {1..20}; do
    in_guest "$CLONE" sh -c 'sleep 0.2; echo "$0"' "$number" >"$SCRATCH/many-$number" 3>&- &
    clients+=("$!")
  done
  wait "${clients[@]}"
  clients=()
  for number in {1..20}; do [[ $(cat "$SCRATCH/many-$number") == "$number" ]] || complain "$number"; done
  for number in {1..64}; do
    start_exec sleep "$MARK"
    clients+=("$STARTED_PID")
  done
  wait_until 20 eval '[[ $(processes_with "^sleep $MARK" | wc -l) == 65 ]]' || complain "$(processes_with "^sleep $MARK" | wc -l)"
  refuses 64 -- in_guest "$CLONE" true
  kill "${clients[@]}"
  wait_until 5 eval '[[ $(processes_with "^sleep $MARK" | wc -l) == 1 ]]'
  wait_until 5 in_guest "$CLONE" true
  isolatectl kill "$CLONE"
}

@test "a further command ends with the guest, and the guest does not wait for it" {
  mkfifo "$SCRATCH/go"
  "${CALLER[@]}" "$ISOLATE" --store "$STORE" -q -z debian sh -c "echo up; read x; exit 4; : $MARK" >"$SCRATCH/out" 3>&- <>"$SCRATCH/go" &
  STARTED_PID=$!
  STARTED+=("$!")
  guest_is_up
  isolatectl exec "$CLONE" sleep "$MARK" 3>&- &
  local client=$! status=0
  wait_until 10 a_process_with "^sleep $MARK"
  echo >"$SCRATCH/go"
  end_of_started
  [[ $STATUS == 4 ]]
  wait "$client" || status=$?
  [[ $status == 137 ]] || complain "status $status"
  no_process_with "^sleep $MARK"
}

@test "signals to isolatectl reach the command, and its exit status becomes isolatectl's" {
  local name
  start_guest
  for name in INT TERM HUP QUIT USR1 USR2; do
    start_exec sh -c "trap 'echo caught; exit 9' $name; echo up; while :; do sleep 0.05; done"
    wait_until 10 grep -qx up "$SCRATCH/out"
    kill_started "$name"
    [[ $STATUS == 9 && $(tail -n 1 "$SCRATCH/out") == caught ]] || complain "$name: $STATUS"
    start_exec sh -c "echo up; exec sleep 1000"
    wait_until 10 grep -qx up "$SCRATCH/out"
    kill_started "$name"
    [[ $STATUS == $((128 + $(kill -l "$name"))) ]] || complain "$name: $STATUS"
  done
  isolatectl kill "$CLONE"
}

@test "when isolatectl is killed its command gets SIGHUP, and SIGKILL after five seconds" {
  start_guest
  # The shell would report that sleep was hung up, and get SIGPIPE instead, because nobody reads its messages any more.
  start_exec sh -c "exec 2>/dev/null; trap 'echo hup >/hup; exit' HUP; echo up; while :; do sleep 0.05; done"
  wait_until 10 grep -qx up "$SCRATCH/out"
  kill_started KILL
  wait_until 20 in_guest "$CLONE" test -s /hup
  start_exec sh -c "trap '' HUP; echo up; sleep 1$MARK; sleep 1$MARK"
  wait_until 10 grep -qx up "$SCRATCH/out"
  kill_started KILL
  sleep 1
  a_process_with "^sleep 1$MARK" || complain "it was killed too early"
  wait_until 8 no_process_with "^sleep 1$MARK"
  isolatectl kill "$CLONE"
}

@test "a guest that kills or stops the parent of a further command harms nobody else" {
  start_guest --cap-add SYS_PTRACE
  # The command's parent is a process of isolate-init. isolatectl notices that it has gone, and the run continues.
  run --separate-stderr in_guest "$CLONE" sh -c "exec >/dev/null 2>&1; sleep 0.3; kill -KILL \$PPID; sleep 1$MARK"
  [[ $status == 137 ]] || complain "isolatectl's status"
  wait_until 5 a_process_with "^sleep 1$MARK" || complain "the command's background process has not stayed in the guest"
  # If the parent is stopped the command continues, isolatectl can be killed, and other commands still work.
  start_exec sh -c "kill -STOP \$PPID; echo up; exec sleep 2$MARK"
  wait_until 10 grep -qx up "$SCRATCH/out"
  succeeds in_guest "$CLONE" echo others
  kill_started KILL
  succeeds in_guest "$CLONE" sh -c 'echo served'
  expect_output served
  isolatectl kill "$CLONE"
  wait_until 2 no_process_with "^sleep .$MARK"
}

@test "an impossible exec gives its reason in one line" {
  start_guest
  refuses 'no lease' -- in_guest no-such-lease true
  refuses COMMAND -- in_guest "$CLONE"
  refuses COMMAND -- in_guest "$CLONE" --
  refuses LEASE -- in_guest
  refuses no-such-option -- in_guest --no-such-option "$CLONE" true
  end_guest
  refuses 'no lease' -- in_guest "$CLONE" true
}

# bats test_tags=cold
@test "only its user can reach a run's socket, which the run removes, or after a kill the next run" {
  local where=/run/isolate/runs
  if [[ $IDENTITY == user ]]; then where=$STORE/runs; fi
  start_guest
  [[ $(stat -c '%a %u' "$where") == "700 $CALLER_UID" ]] || complain "$(stat "$where")"
  [[ -S $where/$CLONE.$STARTED_PID ]]
  kill_started KILL
  [[ -S $where/$CLONE.$STARTED_PID ]]
  isolatectl gc
  in_clone true
  [[ ! -e $where/$CLONE.$STARTED_PID ]]
  start_guest
  end_guest
  [[ ! -e $where/$CLONE.$STARTED_PID ]]
}

# bats test_tags=cold
@test "the socket is in XDG_RUNTIME_DIR if only the user can reach that, and is found without it" {
  install -d -m 0700 -o "$CALLER_UID" "$SCRATCH/runtime"
  CALLER=(env -i "XDG_RUNTIME_DIR=$SCRATCH/runtime" "${CALLER[@]:2}")
  start_guest
  if [[ $IDENTITY == root ]]; then
    [[ -S /run/isolate/runs/$CLONE.$STARTED_PID && ! -e $SCRATCH/runtime/isolate ]] || complain "not in /run/isolate"
    end_guest
    return
  fi
  [[ -S $SCRATCH/runtime/isolate/$CLONE.$STARTED_PID ]]
  set_identity
  succeeds in_guest "$CLONE" echo found
  expect_output found
  end_guest
  chmod 0755 "$SCRATCH/runtime"
  CALLER=(env -i "XDG_RUNTIME_DIR=$SCRATCH/runtime" "${CALLER[@]:2}")
  start_guest
  [[ -S $STORE/runs/$CLONE.$STARTED_PID ]]
  end_guest
  # If there is no safe place for the socket, the run continues without one.
  chmod 0755 "$STORE/runs"
  start_guest
  refuses 'takes no commands' 'XDG_RUNTIME_DIR' -- in_guest "$CLONE" true
  end_guest
  chmod 0700 "$STORE/runs"
}

# --- terminals --------------------------------------------------------------------------------------------------------

# on_terminal STEP... -- COMMAND...: see terminal.py. words_of_exec: sets EXEC to the words of isolatectl exec in the
# guest.
on_terminal() { run --separate-stderr /usr/bin/python3 -I -S "$HELPERS/terminal.py" "$@"; }
words_of_exec() { EXEC=("${CALLER[@]}" "$ISOLATECTL" --store "$STORE" exec "$CLONE"); }

@test "a command started from a terminal gets its own terminal, with size, type, keys and signals" {
  start_guest
  on_terminal -- "${EXEC[@]}" sh -c 'tty; stty size; test -t 2 && echo "$TERM"'
  [[ ${lines[0]} == /dev/pts/* && ${lines[1]} == '24 80' && ${lines[2]} == dumb ]] || complain "terminal, size or type"
  expect_in_errors 'ended: status 0'
  expect_in_errors 'modes: as before'
  on_terminal 'wait:ready' 'resize:33x99' 'type:go\n' 'wait:33 99' -- "${EXEC[@]}" sh -c 'echo ready; read x; stty size'
  expect_in_errors 'ended: status 0'
  on_terminal 'wait:ready' 'type:\x03' -- "${EXEC[@]}" sh -c 'echo ready; exec sleep 100'
  expect_in_errors 'ended: status 130'
  expect_in_errors 'modes: as before'
  end_guest
}

@test "Ctrl-Z stops isolatectl together with its command, and both continue" {
  # Not a shell that starts programs: it can't be stopped while one of them is stopped before its execve.
  start_guest
  on_terminal 'wait:ready' 'type:\x1a' stopped fg 'wait:again' -- "${EXEC[@]}" perl -e \
    '$| = 1; $SIG{CONT} = sub { print "again\n"; exit 5 }; print "ready\n"; sleep 1 while 1'
  expect_in_errors 'ended: status 5'
  expect_in_errors 'modes: as before'
  end_guest
}

@test "the caller's terminal never gets into the guest, and nothing can be typed into it" {
  start_guest -e chroot --seccomp none
  # The guest has its own terminal. What it types stays there.
  on_terminal -- "${EXEC[@]}" perl -e 'ioctl(STDIN, 0x5412, "x") for 1 .. 3; print readlink("/proc/self/fd/0"), "\n"'
  expect_in_errors "queue: b''"
  # Without a terminal as both input and output, the command gets none.
  on_terminal -- bash -c '"$@" </dev/null' bash "${EXEC[@]}" \
    sh -c 'for n in 0 1 2; do test ! -t $n || echo "$n is a terminal"; done; (: </dev/tty) 2>&1; echo end'
  [[ $output == *"No such device or address"* && $output == *end* && $output != *"is a terminal"* ]] || complain "a terminal"
  expect_in_errors 'ended: status 0'
  end_guest
}

@test "all input and output is copied if only some of the streams are a terminal" {
  start_guest
  on_terminal 'wait:ready' 'type:one\n' 'type:\x04' 'wait:20000' -- bash -c '"$@" | cat' bash "${EXEC[@]}" \
    sh -c 'echo ready >&2; cat; seq 20000 >&2'
  # The two outputs come in either order, and one may come within a line of the other.
  [[ $(grep -c 'one$' <<<"$output") -ge 1 && $(perl -0pe 's/one\n//g' <<<"$output" | grep -cxE '[0-9]+') == 20000 ]] ||
    complain "the output is not complete"
  expect_in_errors 'ended: status 0'
  end_guest
}

@test "Ctrl-C reaches each process of a command that has no terminal" {
  start_guest
  on_terminal wait:ready 'type:\x03' -- bash -c 'exec "$@" </dev/null' bash "${EXEC[@]}" \
    bash -c 'echo ready; sleep 100; echo went-on'
  expect_in_errors 'ended: status 130'
  expect_not_in_output went-on
  end_guest
}

@test "-t gives the command a terminal even if the caller has none" {
  start_guest
  [[ $(echo 'tty; exit' | in_guest -t "$CLONE" sh | tr -d '\r') == *"/dev/pts/"* ]]
  run in_guest "$CLONE" tty
  expect_output 'not a tty'
  end_guest
}

@test "isolatectl does not wait for output after the command has ended, or for a stuck terminal" {
  start_guest
  on_terminal -- bash -c 'timeout --foreground 20 "$@" </dev/null' bash "${EXEC[@]}" sh -c 'yes & exit 4'
  expect_in_errors 'ended: status 4'
  end_guest
}
