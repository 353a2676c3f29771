# variants: root-bwrap: the daemon serves root's stores alone
# Whatever is sent to the daemon's socket: it refuses what is not a request, and serves on as the same process.

load helpers
load stores
load daemon

only_kinds overlay
SIZE=5

setup_file() { make_daemon "$SIZE"; }
teardown_file() { remove_daemon; }

# withstands GROUP: all cases of it go right, and nothing of them is left.
withstands() {
  words_of_tool daemon_input
  run --separate-stderr member "${TOOL[@]}" "$1" overlay:deb
  [[ $status == 0 && -n $output ]] || complain "$1: $(grep ^wrong <<<"$output")"
  expect_not_in_output 'wrong '
  wait_until 30 daemon_has_no_children || complain "children: $(children_of_daemon)"
  expect_same_daemon
  settles overlay "$SIZE"
}

@test "D3: names of templates that are not registered" { withstands names; }

@test "D5: frames that are too long, too deep, not ended, or no JSON" {
  local before
  before=$(awk '/VmHWM/ { print $2 }' "/proc/$(daemon_pid)/status")
  withstands frames
  # None of it was kept in memory.
  (($(awk '/VmHWM/ { print $2 }' "/proc/$(daemon_pid)/status") < before + 32768)) || complain "memory"
}

@test "D14: methods that are not there, flags, several requests in one go, a second lease by one connection" {
  withstands requests
}

@test "D6: descriptors that are sent along are dropped, and no process keeps them" {
  local before
  wait_until 30 daemon_has_no_children
  before=$(descriptors_of_daemon)
  withstands descriptors
  (($(descriptors_of_daemon) <= before + 5)) || complain "$before before, $(descriptors_of_daemon) now"
}

@test "log lines hold no control characters of a client's" {
  remember_log
  words_of_tool daemon_input
  member "${TOOL[@]}" names overlay:deb
  [[ -z $(log_since | LC_ALL=C grep -n '[[:cntrl:]]') ]] || complain "$(log_since | cat -v)"
}
