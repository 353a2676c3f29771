# variants: root-bwrap user-lxc user-native: each identity and each engine once, as no test depends on the pair
# other variants: user-bwrap root-lxc root-native root-warm user-warm
# builds: release
# A guest that starves isolate-init of resources, or stops it. isolate must end when the command does, and at SIGTERM at
# the latest.

load helpers

start_guest() {
  start_isolate -q -z debian sh -c "$1 echo up; exec sleep $MARK"
  wait_until 15 grep -qx up "$SCRATCH/out"
  CLONE=$(isolatectl --json ps | jq -r '.[0].clone')
}
command_pid() { processes_with "^sleep $MARK"; }
init_pid() { ps -o ppid= -p "$(command_pid)" | tr -d ' '; }
# ends_within SECONDS SIGNAL: expects the started process to end in time. Its status is in STATUS.
ends_within() {
  local begin=$EPOCHSECONDS
  kill_started "$2"
  [[ $((EPOCHSECONDS - begin)) -le $1 ]] || complain "after $((EPOCHSECONDS - begin)) seconds"
}

# stop_keepers: stops, in the guest, all processes that serve `isolatectl exec`, except the one that serves this
# command.
STOP_KEEPERS='for comm in /proc/[0-9]*/comm; do
    pid=${comm#/proc/} pid=${pid%/comm}
    if [ "$(cat "$comm")" = isolate-exec ] && [ "$pid" != "$PPID" ]; then kill -STOP "$pid"; echo stopped; fi
  done 2>/dev/null'

@test "isolate ends with the command even if the guest lowers the limits of process 1" {
  local limit
  for limit in nofile as data fsize memlock msgqueue nice nproc rss rtprio sigpending locks stack cpu; do
    run timeout 20 "${CALLER[@]}" "$ISOLATE" --store "$STORE" -q -z debian sh -c "prlimit --pid 1 --$limit=0:0 && exit 7"
    # These limits may end process 1, and the guest with it.
    if [[ $limit == stack || $limit == cpu ]] && [[ $status == 137 || $status == 139 ]]; then continue; fi
    expect_status 7
  done
  run timeout 20 "${CALLER[@]}" "$ISOLATE" --store "$STORE" -q -z debian sh -c '
    prlimit --pid 1 --nofile=0:0 --as=0:0 --data=0:0 --nproc=0:0 --sigpending=0:0
    # The end of this orphan wakes process 1 before the command ends.
    (sleep 0.1 &) && sleep 0.4; exit 7'
  expect_status 7
}

@test "process 1 passes signals on even without descriptors and memory" {
  start_guest 'prlimit --pid 1 --nofile=0:0 --as=0:0 --data=0:0 --nproc=0:0 --sigpending=0:0 || exit;'
  ends_within 2 TERM
  [[ $STATUS == 143 ]] || complain "status $STATUS"
}

@test "process 1 works at the lowest priority, and after signals that would stop it" {
  run timeout 20 "${CALLER[@]}" "$ISOLATE" --store "$STORE" -q -z debian sh -c '
    chrt --idle --pid 0 1 && renice 19 1 >/dev/null && kill -STOP 1; kill -TSTP 1; kill -TTIN 1; exit 7'
  expect_status 7
}

@test "the guest can't freeze a control group" {
  succeeds in_clone sh -c 'find / -name cgroup.freeze -writable -o -name freezer.state -writable 2>/dev/null | head -3'
  [[ -z $output ]] || complain "this is writable"
}

@test "a further command whose keeper is stopped continues, and ends with its own status or at SIGTERM" {
  local clone
  start_guest ''
  clone=$CLONE
  local guest=$STARTED_PID
  (
    run -5 timeout 20 "${CALLER[@]}" "$ISOLATECTL" --store "$STORE" exec "$clone" sh -c 'sleep 1.5; exit 5'
  ) &
  local waiting=$!
  sleep 0.5
  succeeds isolatectl exec "$clone" sh -c "$STOP_KEEPERS"
  expect_in_output stopped
  wait "$waiting"
  start "$ISOLATECTL" --store "$STORE" exec "$clone" sleep "1$MARK"
  wait_until 10 a_process_with "^sleep 1$MARK"
  succeeds isolatectl exec "$clone" sh -c "$STOP_KEEPERS"
  expect_in_output stopped
  ends_within 2 TERM
  [[ $STATUS == 143 ]] || complain "status $STATUS"
  STARTED_PID=$guest
  ends_within 2 TERM
}

@test "after a signal isolate does not wait for an isolate-init that has stopped working" {
  start_guest ''
  kill -STOP "$(init_pid)"
  ends_within 8 TERM
  [[ $STATUS == 143 ]] || complain "status $STATUS"
  grep -q 'isolate-init does not answer' "$SCRATCH/err" || complain "no such message: $(cat "$SCRATCH/err")"
  no_process_with "^sleep $MARK"
}

@test "isolate reports the command's end even if isolate-init does not" {
  start_guest ''
  kill -STOP "$(init_pid)"
  kill -KILL "$(command_pid)"
  local begin=$EPOCHSECONDS
  end_of_started 2>/dev/null
  [[ $((EPOCHSECONDS - begin)) -le 8 ]] || complain "after $((EPOCHSECONDS - begin)) seconds"
  [[ $STATUS == 137 ]] || complain "status $STATUS"
  grep -q 'isolate-init does not answer' "$SCRATCH/err" || complain "no such message: $(cat "$SCRATCH/err")"
}

@test "after a signal isolatectl does not wait for a keeper that has stopped working" {
  local guest keeper
  start_guest ''
  guest=$STARTED_PID
  start "$ISOLATECTL" --store "$STORE" exec "$CLONE" sleep "1$MARK"
  wait_until 10 a_process_with "^sleep 1$MARK"
  keeper=$(ps -o ppid= -p "$(processes_with "^sleep 1$MARK")" | tr -d ' ')
  # Stop process 1 as well, because it would continue the keeper.
  kill -STOP "$(init_pid)" "$keeper"
  ends_within 8 TERM
  [[ $STATUS == 143 ]] || complain "status $STATUS"
  grep -q 'isolate-init does not answer' "$SCRATCH/err" || complain "no such message: $(cat "$SCRATCH/err")"
  kill -CONT "$(init_pid)"
  STARTED_PID=$guest
  ends_within 2 TERM
}

@test "a further command whose keeper is stopped ends with the guest" {
  local guest
  start_guest ''
  guest=$STARTED_PID
  start "$ISOLATECTL" --store "$STORE" exec "$CLONE" sleep "1$MARK"
  wait_until 10 a_process_with "^sleep 1$MARK"
  kill -STOP "$(ps -o ppid= -p "$(processes_with "^sleep 1$MARK")" | tr -d ' ')"
  kill -TERM "$guest"
  end_of_started 2>/dev/null
  [[ $STATUS == 137 ]] || complain "status $STATUS"
  STARTED_PID=$guest
  end_of_started 2>/dev/null
  [[ $STATUS == 143 ]] || complain "status $STATUS of the guest"
}
