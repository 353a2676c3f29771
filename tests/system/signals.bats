# variants: root-bwrap user-bwrap root-lxc user-lxc root-native user-native user-warm: all, because identity and engine decide who starts which process
# other variants: root-bwrap user-bwrap root-lxc user-lxc root-native user-native root-warm
# Signals to isolate alone: each reaches the command once, and a command that stops makes isolate stop.

load helpers

# Counts the signals that it gets, and prints them at the end.
COUNTER='trap "count=\$count\ INT" INT; trap "count=\$count\ TERM" TERM; trap "count=\$count\ HUP" HUP
  trap "count=\$count\ QUIT" QUIT; trap "count=\$count\ USR1" USR1; trap "count=\$count\ USR2" USR2
  trap "count=\$count\ CONT" CONT; trap "count=\$count\ TSTP" TSTP; trap "count=\$count\ WINCH" WINCH
  trap "echo \$count; exit 0" ALRM
  echo ready
  while :; do sleep 0.05; done'

is_ready() { grep -q ready "$SCRATCH/out"; }

@test "Z1: each signal reaches the command once" {
  local engine name
  for engine in "$ENGINE" chroot; do
    for name in INT TERM HUP QUIT USR1 USR2 CONT TSTP WINCH; do
      start_isolate -q -e "$engine" -z debian bash -c "$COUNTER" "$MARK"
      wait_until 10 is_ready
      kill "-$name" "$STARTED_PID"
      sleep 0.3
      pkill -ALRM --full "^bash -c .*$MARK"
      end_of_started
      [[ $(tail -n 1 "$SCRATCH/out") == "$name" ]] || complain "$engine, $name: $(cat "$SCRATCH/out")"
    done
  done
}

@test "a command that stops itself stops isolate; SIGCONT to isolate continues both" {
  local engine
  for engine in "$ENGINE" chroot; do
    start_isolate -q -e "$engine" -z debian sh -c "kill -STOP \$\$; echo continued; exit 4 # $MARK"
    wait_until 10 is_stopped
    kill -CONT "$STARTED_PID"
    end_of_started
    [[ $STATUS == 4 && $(cat "$SCRATCH/out") == continued ]] || complain "status $STATUS"
  done
}
is_stopped() { [[ $(ps -o stat= -p "$STARTED_PID") == T* ]]; }

@test "SIGTSTP to isolate stops the command, and isolate with it" {
  start_isolate -q -z debian sleep "$MARK"
  wait_until 10 a_process_with "^sleep $MARK"
  kill -TSTP "$STARTED_PID"
  wait_until 5 is_stopped
  [[ $(ps -o stat= -p "$(processes_with "^sleep $MARK")") == T* ]]
  kill -CONT "$STARTED_PID"
  sleep 0.2
  [[ $(ps -o stat= -p "$(processes_with "^sleep $MARK")") == S* ]]
  kill_started TERM
  [[ $STATUS == 143 ]]
}

@test "Z2: a guest that kills its process group does not reach isolate" {
  run --separate-stderr isolate -q -z debian sh -c 'kill -KILL 0'
  expect_status 137
  run --separate-stderr isolate -q -z debian sh -c 'kill -TERM -1; kill -KILL 1; echo alive'
  expect_output alive
}

@test "100 MB go through standard input and output, with and without the guest's own terminal" {
  head -c 100000000 /dev/urandom >"$SCRATCH/data"
  isolate -q -z debian cat <"$SCRATCH/data" | cmp - "$SCRATCH/data"
  # A terminal changes line ends and cuts lines at 4095 bytes, so send short lines and change its settings.
  head -c 5000000 "$SCRATCH/data" | base64 >"$SCRATCH/lines"
  isolate -q --pty -d "$SCRATCH/lines:/lines:ro" -z debian sh -c 'stty -onlcr; cat /lines' </dev/null | cmp - "$SCRATCH/lines"
}

@test "isolate works with all standard descriptors closed" {
  local option
  for option in -q --pty; do
    run as_caller sh -c 'exec "$@" <&- >&- 2>&-' sh "$ISOLATE" --store "$STORE" "$option" -z debian sh -c 'exit 3'
    expect_status 3
  done
}
