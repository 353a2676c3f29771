# variants: user-bwrap root-lxc root-native root-warm: each identity and each engine once, as no test depends on the pair
# other variants: root-bwrap user-lxc user-native user-warm
# Limits of a run: time, processes, open files, core dumps, memory for files.

load helpers

# isolate, killed after a minute: a run that --timeout does not end must fail the test and not hold it up.
isolate_for_a_minute() { timeout --signal=KILL 60 "${CALLER[@]}" "$ISOLATE" --store "$STORE" "$@"; }

@test "--timeout ends the command with SIGTERM, and the status is 124" {
  local engine
  for engine in "$ENGINE" chroot; do
    run --separate-stderr isolate_for_a_minute -q -e "$engine" --timeout 0.5 -z debian sh -c \
      'trap "echo asked; exit 3" TERM; sleep "$0" & wait' "$MARK"
    expect_status 124
    expect_output asked
    no_process_with "$MARK"
  done
}

@test "--timeout kills a command that ignores SIGTERM or is stopped" {
  local started=$SECONDS
  run --separate-stderr isolate_for_a_minute -q --timeout 0.3 -z debian sh -c 'trap "" TERM; setsid sleep "$0" & sleep "$0"' "$MARK"
  expect_status 124
  [[ $((SECONDS - started)) -ge 5 && $((SECONDS - started)) -lt 15 ]]
  no_process_with "$MARK"
  run --separate-stderr isolate_for_a_minute -q --timeout 0.3 -z debian sh -c 'kill -STOP $$'
  expect_status 124
}

@test "a command that ends in time is not affected by --timeout" {
  run --separate-stderr isolate -q --timeout 30 -z debian sh -c 'exit 5'
  expect_status 5
}

@test "--status-fd reports a timeout" {
  as_caller "$ISOLATE" --store "$STORE" -q --timeout 0.2 --status-fd 9 -z debian sleep 10 9>"$SCRATCH/status" || true
  jq -se '.[-1] == {event: "ended", signal: 15, timeout: true}' "$SCRATCH/status"
}

# bats test_tags=once
@test "invalid values for times, limits and sizes are refused" {
  isolate_refuses timeout 0x -- isolate --timeout 0x -z debian true
  isolate_refuses ulimit files -- isolate --ulimit files=3 -z debian true
  isolate_refuses "own hard limit" -- isolate --ulimit nofile=999999999999 -z debian true
  isolate_refuses tmp-size lots -- isolate --tmp-size lots -z debian true
}

@test "a guest has at most 4096 processes, and the host continues" {
  in_clone sh -c 'grep "Max processes" /proc/self/limits' | grep -Eq ' 4096 +4096 '
}

# The limit covers all users of the guest together, so a root that changes its user gains nothing.
@test "R1: the limit of processes holds for all users of the guest together" {
  local program=$SCRATCH/bomb
  gcc -O1 -static -o "$program" -x c - <<'C'
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
int main(int argc, char** argv) {
  int started = 0;
  for (int user = 0; user < 4; ++user) {
    if (user > 0) {
      int end = fork();  /* a child that changes its user goes on where this one can't */
      if (end < 0) break;
      if (end > 0) { pause(); }
      if (setuid((unsigned)(1000 + user)) != 0) break;
      ++started;
    }
    for (int pid; (pid = fork()) >= 0; ++started) if (pid == 0) { pause(); _exit(0); }
  }
  printf("%d\n", started);
  fflush(stdout);
  kill(-1, 9);
  return argc > 99 ? atoi(argv[1]) : 0;
}
C
  chmod 0755 "$program"
  run --separate-stderr timeout 60 "${CALLER[@]}" "$ISOLATE" --store "$STORE" -q --ulimit nproc=60 -d "$program:/bomb:ro" -z debian /bomb
  [[ ${output:-0} -le 60 && ${output:-0} -ge 40 ]] || complain "not the expected number of processes"
}

@test "R1 control: without the limit there are more processes" {
  succeeds isolate -q --ulimit nproc=unlimited -z debian sh -c 'i=0; while [ $i -lt 200 ]; do sleep 5 & i=$((i + 1)); done; echo $i'
  expect_output 200
}

@test "two runs have separate limits" {
  start_isolate -q --ulimit nproc=30 -z debian sh -c "for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do sleep $MARK & done; wait"
  wait_until 10 twenty_sleep
  succeeds isolate -q --ulimit nproc=30 -z debian sh -c 'for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do sleep 1 & done; wait; echo all'
  expect_output all
  kill_started TERM
}
twenty_sleep() { [[ $(processes_with "^sleep $MARK" | wc -l) == 20 ]]; }

@test "limits hold, and the guest can't raise them" {
  succeeds isolate -q --ulimit nofile=50 --ulimit fsize=1024 -z debian bash -c 'ulimit -n; ulimit -f; ulimit -n 51 2>/dev/null || echo refused'
  expect_output $'50\n1\nrefused'
}

@test "no core dump is written, or given to a program of the host" {
  succeeds isolate -q -z debian bash -c 'ulimit -c; cd /tmp; sh -c "kill -SEGV \$\$" 2>/dev/null; ls /tmp | wc -l'
  expect_output $'0\n0'
}

@test "--tmp-size limits /tmp, /dev/shm and an empty /home together" {
  run --separate-stderr isolate -q --tmp-size 2M -z debian sh -c \
    'head -c 1500000 /dev/zero >/tmp/a && head -c 1500000 /dev/zero >/dev/shm/b'
  expect_status 1
  expect_in_errors "No space left on device"
  succeeds isolate -q --tmp-size 4M -z debian sh -c 'head -c 1500000 /dev/zero >/tmp/a && head -c 1500000 /dev/zero >/dev/shm/b'
  run --separate-stderr isolate -q --tmp-size 2M --empty-home -z debian sh -c \
    'head -c 1500000 /dev/zero >/tmp/a && head -c 1500000 /dev/zero >/home/b'
  expect_status 1
  expect_in_errors "No space left on device"
}

@test "a limit of processes that isolate can't enforce is refused" {
  if [[ $IDENTITY == root ]]; then
    isolate_refuses nproc chroot -- isolate -q -e chroot --ulimit nproc=50 -z debian true
  else
    succeeds isolate -q -e chroot --ulimit nproc=50 -z debian true
  fi
}
