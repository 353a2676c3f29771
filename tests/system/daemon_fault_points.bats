# variants: root-bwrap: the daemon serves only root's stores
# Processes of the daemon, and isolate -r, fail or die at each point of leasing, reaping and refreshing (in a build with
# fault points). No clone is leased twice, destroyed while in use, lost, or offered again after use.
#
#   ISOLATE_CRASH_ROUNDS   number of rounds; default 10            ISOLATE_CRASH_SEED   repeats the rounds of that seed
#   ISOLATE_CRASH_STORES   kinds of stores; default "overlay btrfs"

load helpers
load stores
load daemon

only_kinds overlay btrfs
SIZE=5

setup_file() { make_daemon "$SIZE"; }
teardown_file() { remove_daemon; }
# crash_rounds.py starts its own daemon.
setup() { setup_without_daemon; }

@test "control: a daemon that dies at a fault point leases nothing" {
  spawn_daemon env ISOLATE_FAULT=lease-taken:kill "$ISOLATED" --store "$MAIN"
  wait_until 20 daemon_answers
  isolate_refuses closed -- run_in overlay true
  restart_daemon
  settles overlay "$SIZE"
}

@test "rounds of deaths at fault points lose and reuse no clone" {
  local kind number=${ISOLATE_CRASH_ROUNDS:-10} seed=()
  if [[ -n ${ISOLATE_CRASH_SEED-} ]]; then seed=(--seed "$ISOLATE_CRASH_SEED"); fi
  # Allow more than 30 seconds to settle: that is how often the daemon looks for changes that nothing reports to it.
  for kind in ${ISOLATE_CRASH_STORES:-overlay btrfs}; do
    run rounds "$kind" --fault-points --rounds "$number" --settle 60 "${seed[@]}"
    echo "# $kind:" >&3
    no_faults "$number"
  done
}
