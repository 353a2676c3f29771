# variants: root-bwrap user-lxc user-native: each identity and each engine once, as no test depends on the pair
# other variants: user-bwrap root-lxc root-native root-warm user-warm
# isolatectl ps reports what guests use; isolatectl kill ends them, whatever they and isolate do.

load helpers

row_of() { isolatectl --json ps | jq -c ".[] | select(.clone == \"$CLONE\")"; }
field_of() { row_of | jq "$1"; }

# start_guest OPTION... -- SCRIPT: starts a run. Its clone is in CLONE.
start_guest() {
  local options=()
  while [[ $1 != -- ]]; do
    options+=("$1")
    shift
  done
  start_isolate -q "${options[@]}" -z debian sh -c "uname -n; $2"
  wait_until 15 test -s "$SCRATCH/out"
  only_lease
}
# Ask isolatectl for the clone, because with the chroot engine a guest does not know its name.
only_lease() { CLONE=$(isolatectl --json ps | jq -r '.[0].clone'); }
guest_sleeps() { a_process_with "^sleep $MARK"; }
start_sleeper() {
  start_guest "$@" -- "exec sleep $MARK"
  wait_until 10 guest_sleeps
}
# is_over: when kill has returned, the lease and all of the guest have ended, and isolate with the status of SIGKILL.
is_over() {
  [[ -z $(row_of) ]] || complain "the lease is still listed"
  no_process_with "^sleep $MARK" || complain "the guest is still running"
  end_of_started 2>/dev/null
  [[ $STATUS == 137 ]] || complain "status $STATUS: $(cat "$SCRATCH/err")"
  store_gets_clean
}

@test "ps shows what a guest uses: processor time, memory, threads" {
  local engine
  for engine in "$ENGINE" chroot; do
    # The guest uses 40 MB of memory and two seconds of processor time. Three processes are isolate's own.
    start_guest -e "$engine" -- "sleep $MARK & perl -e 'my \$held = \"x\" x 40_000_000; \$| = 1;
      while ((times)[0] < 2) { 1 for 1 .. 10000 } print \"ready\n\"; sleep 1000'"
    wait_until 60 grep -q ready "$SCRATCH/out"
    [[ $(field_of .cpu_usec) -ge 2000000 && $(field_of .cpu_usec) -lt 10000000 ]] || complain "cpu: $(row_of)"
    [[ $(field_of .memory_bytes) -ge 40000000 && $(field_of .memory_bytes) -lt 200000000 ]] || complain "memory: $(row_of)"
    [[ $(field_of .tasks) -ge 4 && $(field_of .tasks) -le 12 ]] || complain "tasks: $(row_of)"
    succeeds isolatectl ps
    [[ ${lines[0]} == *CPU*MEMORY*TASKS* && ${lines[1]} == *"$CLONE"*s*MiB*[0-9]* ]] || complain "the table of ps"
    succeeds isolatectl kill "$CLONE"
    is_over
  done
}

@test "ps also counts the processor time of processes that have ended" {
  start_guest -- "perl -e 'while ((times)[0] < 1) { 1 for 1 .. 10000 }'; echo ready; exec sleep $MARK"
  wait_until 60 grep -q ready "$SCRATCH/out"
  [[ $(field_of .cpu_usec) -ge 1000000 ]] || complain "cpu: $(row_of)"
  isolatectl kill "$CLONE"
  is_over
}

@test "kill ends a guest and returns when the lease is over" {
  local engine
  for engine in "$ENGINE" chroot; do
    start_sleeper -e "$engine"
    succeeds isolatectl kill "$CLONE"
    [[ -z $output$stderr ]] || complain "kill printed something"
    is_over
  done
}

@test "kill ends guests that ignore signals, have stopped themselves or were stopped" {
  local victim
  start_guest -- "trap '' TERM HUP INT QUIT; setsid sleep $MARK & while :; do sleep $MARK; done"
  wait_until 10 guest_sleeps
  succeeds isolatectl kill "$CLONE"
  is_over
  for victim in "the guest" isolate "isolate and the guest"; do
    start_sleeper
    case $victim in *guest) pkill -STOP --full -- "^sleep $MARK" ;; esac
    case $victim in isolate*) kill -STOP "$STARTED_PID" ;; esac
    sleep 0.2
    succeeds isolatectl kill "$CLONE"
    is_over
  done
}

@test "kill ends an isolate that does not end by itself, and removes its clone" {
  start env POST_SPAWN_HOOK="exec sleep $MARK" "$ISOLATE" --store "$STORE" -q -z debian sh -c "uname -n; exec sleep $MARK"
  wait_until 15 test -s "$SCRATCH/out"
  only_lease
  succeeds isolatectl kill "$CLONE"
  wait_until 2 no_process_with "^sleep $MARK"
  is_over
}

@test "kill ends a run that is still starting" {
  start env PRE_SPAWN_HOOK="exec sleep $MARK" "$ISOLATE" --store "$STORE" -q -z debian true
  wait_until 10 a_process_with "^sleep $MARK"
  only_lease
  succeeds isolatectl kill "$CLONE"
  wait_until 2 no_process_with "^sleep $MARK"
  is_over
  for _ in {1..15}; do
    start_isolate -q -z debian sleep "$MARK"
    CLONE=null
    until [[ $CLONE == *-* ]]; do only_lease; done
    isolatectl kill "$CLONE"
    end_of_started 2>/dev/null
    [[ $STATUS == 137 || $STATUS == 125 ]] || complain "status $STATUS"
  done
  no_process_with "^sleep $MARK"
  store_gets_clean
}

@test "kill refuses a name that is no running lease, in one line" {
  local name
  start_sleeper
  for name in no-such-lease debian '' .. / ../x "$CLONE/" "${CLONE%?}" "$(printf 'x\e[1m')"; do
    isolatectl_refuses 'no lease' -- isolatectl kill "$name"
  done
  guest_sleeps
  isolatectl kill "$CLONE"
  is_over
  isolatectl_refuses "no lease '$CLONE'" -- isolatectl kill "$CLONE"
  isolatectl_refuses LEASE -- isolatectl kill
}

@test "a run on a directory is not a lease" {
  copy_of_tree "$SCRATCH/tree"
  start_isolate -q -t "$SCRATCH/tree" sleep "$MARK"
  wait_until 10 guest_sleeps
  [[ $(isolatectl --json ps) == '[]' ]]
  kill_started TERM
}

@test "a user can't kill another user's lease" {
  local other
  start_sleeper
  words_of_caller "$USER_B_UID" "$USER_B_GID" "$WORK/home-$USER_B"
  other=("${CALLER[@]}")
  set_identity
  isolatectl_refuses '' -- "${other[@]}" "$ISOLATECTL" kill "$CLONE"
  isolatectl_refuses '' -- "${other[@]}" "$ISOLATECTL" --store "$STORE" kill "$CLONE"
  guest_sleeps
  isolatectl kill "$CLONE"
  is_over
}
