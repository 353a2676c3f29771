# identities: root
# builds: release
# Whatever is killed at whatever moment: no clone is given away twice, destroyed in use, lost, or offered when used.

load helpers
load stores
load daemon

only_kinds overlay
SIZE=5

setup_file() { make_daemon "$SIZE"; }
teardown_file() { remove_daemon; }
# crash_rounds.py has a daemon of its own.
setup() { setup_without_daemon; }

@test "rounds of runs in which the daemon, clients or isolate -r are killed" {
  # The daemon looks for itself each 30 seconds at what nothing has told it of.
  run rounds --rounds 25 --settle 45
  echo "# ${lines[-1]}" >&3
  [[ $status == 0 ]] || complain "$(grep ^fault <<<"$output")"
  [[ ${lines[-1]} == '25 rounds, '*' 0 faults'* ]] || complain "rounds"
}

@test "control: a used clone among the fresh ones is found" {
  run rounds --rounds 0 --plant
  [[ $status == 1 && $output == *'a used clone is fresh'* ]] || complain "it was not noticed"
  run rounds --rounds 1 --plant --seed 1
  [[ $status == 1 ]] || complain "it was not noticed"
  refresh overlay -f "$SIZE"
}
