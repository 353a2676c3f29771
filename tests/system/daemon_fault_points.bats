# variants: root-bwrap: the daemon serves root's stores alone
# Processes of the daemon, and isolate -r, fail or die at each point of leasing, reaping and refreshing (a build with fault
# points): no clone is given away twice, destroyed in use, lost, or offered when used.
#
#   ISOLATE_CRASH_ROUNDS   how many rounds, 10 unless set        ISOLATE_CRASH_SEED   to repeat one
#   ISOLATE_CRASH_STORES   "overlay btrfs" unless set

load helpers
load stores
load daemon

only_kinds overlay btrfs
SIZE=5

setup_file() { make_daemon "$SIZE"; }
teardown_file() { remove_daemon; }
# crash_rounds.py has a daemon of its own.
setup() { setup_without_daemon; }

@test "the points are there: a daemon with one does not lease" {
  spawn_daemon env ISOLATE_FAULT=lease-taken:kill "$ISOLATED" --store "$MAIN"
  wait_until 20 daemon_answers
  isolate_refuses closed -- run_in overlay true
  restart_daemon
  settles overlay "$SIZE"
}

@test "rounds of deaths at fault points" {
  local kind number=${ISOLATE_CRASH_ROUNDS:-10} seed=()
  if [[ -n ${ISOLATE_CRASH_SEED-} ]]; then seed=(--seed "$ISOLATE_CRASH_SEED"); fi
  # The daemon looks for itself each 30 seconds at what nothing has told it of.
  for kind in ${ISOLATE_CRASH_STORES:-overlay btrfs}; do
    run rounds "$kind" --fault-points --rounds "$number" --settle 60 "${seed[@]}"
    echo "# $kind:" >&3
    no_faults "$number"
  done
}
