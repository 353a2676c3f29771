# variants: root-bwrap user-bwrap root-lxc user-lxc root-native user-native: all, because identity and engine decide who starts which process
# other variants: root-bwrap user-bwrap root-lxc user-lxc root-native user-native root-warm user-warm
# Ends and signals: whichever process is killed, the guest ends and its clone is removed.

load helpers

# A guest that hides: it forks twice, makes its own sessions, ignores all signals that it can, and stays.
HIDING='for i in 1 2 3; do
    setsid sh -c "trap \"\" HUP INT TERM QUIT; sleep $0 &
      setsid sh -c \"trap \\\"\\\" TERM; while :; do sleep $0; done\" & wait" &
  done
  (setsid sleep $0 &)
  exec sleep $0'

guest_hides() { [[ $(processes_with "^sleep $MARK" | wc -l) -ge 7 ]]; }
start_hiding() {
  start_isolate -q "$@" sh -c "$HIDING" "$MARK"
  wait_until 15 guest_hides
}

@test "SIGKILL to isolate ends every process of the guest within two seconds" {
  local engine
  for engine in "$ENGINE" chroot; do
    start_hiding -e "$engine" -z debian
    kill_started KILL
    wait_until 2 no_process_with "$MARK" || complain "still running: $(processes_with "$MARK")"
    [[ $STATUS == 137 ]]
    isolatectl gc
    store_gets_clean
  done
}

@test "the next run removes what a killed one has left" {
  start_hiding -z debian
  kill_started KILL
  wait_until 2 no_process_with "$MARK"
  in_clone true
  wait_until 5 store_is_clean "$STORE"
}

@test "after SIGKILL at any moment of the start, gc removes everything that is left" {
  local number
  for number in {0..39}; do
    start_isolate -q -z debian sh -c "sleep $MARK & sleep $MARK"
    sleep "0.$(printf '%03d' "$number")"
    kill_started KILL
  done
  wait_until 2 no_process_with "$MARK"
  isolatectl gc
  store_gets_clean
}

@test "SIGTERM, SIGHUP and SIGQUIT to isolate reach the command, and its end is isolate's" {
  local name
  for name in TERM HUP QUIT USR1; do
    start_isolate -q -z debian sleep "$MARK"
    wait_until 10 a_guest_sleeps
    kill_started "$name"
    [[ $STATUS == $((128 + $(kill -l "$name"))) ]] || complain "status $STATUS after SIG$name"
    no_process_with "$MARK"
  done
}

@test "a command that handles SIGTERM or SIGINT decides the exit status" {
  local name
  for name in TERM INT; do
    start_isolate -q -z debian sh -c "trap 'echo caught; exit 7' $name; sleep $MARK & wait"
    wait_until 10 a_guest_sleeps
    sleep 0.1
    kill_started "$name"
    [[ $STATUS == 7 && $(cat "$SCRATCH/out") == caught ]] || complain "status $STATUS after SIG$name"
    no_process_with "$MARK"
  done
}

@test "SIGINT ends the command, but not with -i" {
  start_isolate -q -z debian sleep "$MARK"
  wait_until 10 a_guest_sleeps
  kill_started INT
  [[ $STATUS == 130 ]]
  start_isolate -q -i -z debian sh -c "echo up; sleep 1; echo survived"
  wait_until 10 grep -qx up "$SCRATCH/out"
  kill_started INT
  [[ $STATUS == 0 && $(cat "$SCRATCH/out") == $'up\nsurvived' ]] || complain "$STATUS, $(cat "$SCRATCH/out")"
}

@test "when the command ends, its background processes end too" {
  local engine start
  for engine in "$ENGINE" chroot; do
    start=$EPOCHREALTIME
    succeeds isolate -q -e "$engine" -z debian \
      sh -c "(trap '' TERM HUP; setsid sleep $MARK >/dev/null 2>&1 </dev/null &) ; exit 0"
    [[ $(((${EPOCHREALTIME/./} - ${start/./}) / 1000000)) -lt 5 ]] || complain "the run waited for background processes"
    wait_until 1 no_process_with "$MARK" || complain "still running with $engine"
  done
}

@test "orphans inside are reaped while the guest runs" {
  succeeds in_clone sh -c '
    for i in 1 2 3 4 5; do (sh -c "exit 3" &) ; done
    sleep 0.3; grep -l "^State:.Z" /proc/[0-9]*/status | wc -l'
  expect_output 0
}

@test "the guest can end itself with kill -9 -1, but can't kill pid 1" {
  run --separate-stderr in_clone sh -c "sleep $MARK & kill -9 1; kill -TERM 1; kill -STOP 1; sleep 0.1; echo alive; \
    sh -c 'kill -9 -1'; sleep 5"
  expect_output alive
  expect_status 137
  no_process_with "$MARK"
}

@test "SIGSTOP and SIGCONT to the command do not end the run" {
  start_isolate -q -z debian sh -c "sleep 3; exit 6; : $MARK"
  wait_until 10 a_process_with "^sh -c .*$MARK"
  local pid
  pid=$(processes_with "^sh -c .*$MARK")
  kill -STOP "$pid"
  sleep 0.2
  kill -CONT "$pid"
  end_of_started
  [[ $STATUS == 6 ]]
}

@test "if isolate is killed while its hook runs, the command does not run and nothing is left" {
  start env PRE_SPAWN_HOOK="sleep 1; : $MARK" "$ISOLATE" --store "$STORE" -q -z debian -d "$SCRATCH:/s" touch /s/ran
  wait_until 10 a_process_with "^/bin/sh -c sleep 1; : $MARK"
  kill_started KILL
  wait_until 3 no_process_with "$MARK"
  isolatectl gc
  store_gets_clean
  [[ ! -e $SCRATCH/ran ]]
}
