# variants: root-bwrap user-bwrap: the identities differ in ids and control groups, each test names the engine
# builds: release
# A template with a hostile init (tests/attacks/hostile_init.c) and the lxc engine: what the init can do to isolate-init
# and LXC's processes, which it sees when the command is attached to its system.

load helpers
load attacks
load control_group

setup_file() {
  place_attacks
  give_control_group
}
teardown_file() {
  take_control_group
  remove_attacks
}

setup() {
  common_setup
  enter_control_group
}

# make_hostile MODE: makes a root with that init, in TREE_WITH_INIT.
make_hostile() {
  TREE_WITH_INIT=$SCRATCH/tree-$1
  copy_of_tree "$TREE_WITH_INIT"
  as_caller sh -c 'cp "$1" "$2/usr/sbin/init" && echo "$3" >"$2/init.mode"' sh "$ATTACKS/hostile-init" "$TREE_WITH_INIT" "$1"
}
beside_it() { isolate -q -e lxc -t "$TREE_WITH_INIT" "$@"; }
log_of_init() { cat "$TREE_WITH_INIT/init.log"; }
# Prints what the init has done to processes that are not its own.
done_to_others() { log_of_init | grep -Ev '^(control|init): ' | sort -u; }
init_is_at_work() { grep -qx 'init: waits' "$TREE_WITH_INIT/init.log" 2>/dev/null; }

@test "control: the init's attacks succeed on its own process" {
  local attack
  make_hostile take
  # The filter refuses some of the attacks to every process.
  run -0 beside_it --seccomp=none sleep 0.5
  for attack in 'an end on the control socket' 'the setup rewritten' fd mem root environ memory ptrace; do
    log_of_init | grep -qx "control: $attack" || complain "$attack failed: $(log_of_init)"
  done
}

@test "an init takes nothing of the processes beside it (descriptors, memory, program), and can't forge the end" {
  local options
  make_hostile take
  for options in '' --seccomp=none --cap-add=NET_ADMIN; do
    run -7 --separate-stderr beside_it ${options:+"$options"} sh -c 'sleep 0.4; exit 7'
    init_is_at_work || complain "the init did not run"
    [[ -z $(done_to_others) ]] || complain "with $options: $(done_to_others)"
    rm "$TREE_WITH_INIT/init.log"
  done
}

@test "the command beside a hostile init is as confined as with bwrap, and the programs on the host stay as they are" {
  local before look='grep -E "^(Cap|NoNewPrivs|Seccomp)" /proc/self/status; grep . /proc/self/personality'
  make_hostile take
  before=$(stat -c '%n %a %u %s %y' "$BINDIR"/*)
  succeeds beside_it sh -c "sleep 0.3; $look"
  [[ $output == "$(in_clone -e bwrap sh -c "$look")" ]] || complain "not as with bwrap"
  [[ $(stat -c '%n %a %u %s %y' "$BINDIR"/*) == "$before" ]] || complain "$(stat -c '%n %a %u %s %y' "$BINDIR"/*)"
}

@test "further commands beside a hostile init can't be attacked either" {
  make_hostile take
  as_caller "$ISOLATECTL" --store "$STORE" template create hostile --from "$TREE_WITH_INIT"
  start_isolate -q -e lxc -z hostile sh -c "echo up; exec sleep $MARK"
  wait_until 15 grep -qx up "$SCRATCH/out"
  local clone
  clone=$(isolatectl --json ps | jq -r '.[0].clone')
  for _ in 1 2 3; do
    run -3 isolatectl exec "$clone" sh -c 'sleep 0.3; exit 3'
  done
  succeeds isolatectl exec "$clone" cat /init.log
  refute grep -Ev '^(control|init): ' <<<"$output"
  isolatectl kill "$clone"
  end_of_started 2>/dev/null
  isolatectl template remove hostile
}

@test "stopped again and again by the init, isolate ends with the command and at SIGTERM" {
  make_hostile stop
  # The init may stop the process that is about to become the command. That then counts as a stopped command, and
  # isolate stops with it.
  for _ in {1..8}; do
    run timeout 15 "${CALLER[@]}" "$ISOLATE" --store "$STORE" -q -e lxc -t "$TREE_WITH_INIT" sh -c 'sleep 0.3; exit 7'
    [[ $status == 124 ]] || break
  done
  [[ $status == 7 ]] || complain "status $status"
  grep -q ': stopped' <<<"$(done_to_others)" || complain "nothing was stopped: $(log_of_init)"
  start_isolate -q -e lxc -t "$TREE_WITH_INIT" sleep "$MARK"
  # The init may be fast enough to keep the command from ever starting. SIGTERM must end that as well. A stopped isolate
  # reads the signal when it is continued; timeout(1) and systemd send SIGCONT for that too.
  wait_until 10 a_guest_sleeps || true
  kill -TERM "$STARTED_PID"
  kill -CONT "$STARTED_PID"
  end_of_started 2>/dev/null
  [[ $STATUS == 143 || $STATUS == 125 ]] || complain "status $STATUS"
}

@test "without memory, time and files, the isolate-init beside the init still ends with the command" {
  make_hostile limits
  run --separate-stderr timeout 60 "${CALLER[@]}" "$ISOLATE" --store "$STORE" -q -e lxc -t "$TREE_WITH_INIT" \
    sh -c 'sleep 0.5; exit 7'
  # A fast enough init keeps the command from starting, or the kernel ends it because there is no address space.
  [[ $status == 7 || $status == 125 || $status == 139 ]] || complain "status $status: $stderr"
}

@test "killed by the init, isolate-init ends the run" {
  make_hostile kill
  run --separate-stderr timeout 30 "${CALLER[@]}" "$ISOLATE" --store "$STORE" -q -e lxc -t "$TREE_WITH_INIT" sleep 60
  [[ $status == 125 || $status == 137 ]] || complain "status $status"
}
