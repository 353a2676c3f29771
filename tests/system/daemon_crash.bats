# variants: root-bwrap: the daemon serves root's stores alone
# Whatever is killed at whatever moment: no clone is given away twice, destroyed in use, lost, or offered when used.

load helpers
load stores
load daemon

only_kinds overlay btrfs
SIZE=5

setup_file() { make_daemon "$SIZE"; }
teardown_file() { remove_daemon; }
# crash_rounds.py has a daemon of its own.
setup() { setup_without_daemon; }

# The daemon looks for itself each 30 seconds at what nothing has told it of.
@test "overlay: rounds of runs in which the daemon, clients or isolate -r are killed" {
  run rounds overlay --rounds "$(unless_long 6 25)" --settle 45
  no_faults "$(unless_long 6 25)"
}
@test "btrfs: rounds of runs in which the daemon, clients or isolate -r are killed" {
  run rounds btrfs --rounds "$(unless_long 4 15)" --settle 45
  no_faults "$(unless_long 4 15)"
}

@test "control: a used clone among the fresh ones is found" {
  planted_faults_are_found overlay
  planted_faults_are_found btrfs
}
