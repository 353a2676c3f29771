# variants: root-bwrap: the daemon serves only root's stores
# Whatever is killed at any moment, no clone is leased twice, destroyed while in use, lost, or offered again after use.

load helpers
load stores
load daemon

only_kinds overlay btrfs
SIZE=5

setup_file() { make_daemon "$SIZE"; }
teardown_file() { remove_daemon; }
# crash_rounds.py starts its own daemon.
setup() { setup_without_daemon; }

# Allow more than 30 seconds to settle: that is how often the daemon looks for changes that nothing reports to it.
@test "overlay: rounds of runs with killed daemons, clients or isolate -r lose and reuse no clone" {
  run rounds overlay --rounds "$(unless_long 6 25)" --settle 45
  no_faults "$(unless_long 6 25)"
}
@test "btrfs: rounds of runs with killed daemons, clients or isolate -r lose and reuse no clone" {
  run rounds btrfs --rounds "$(unless_long 4 15)" --settle 45
  no_faults "$(unless_long 4 15)"
}

@test "control: the rounds find a used clone among the fresh ones" {
  planted_faults_are_found overlay
  planted_faults_are_found btrfs
}
