# variants: root-bwrap: the daemon serves only root's stores
# Whatever a client sends to the socket, the daemon refuses what is not a request, and continues as the same process.

load helpers
load stores
load daemon

only_kinds overlay
SIZE=5

setup_file() { make_daemon "$SIZE"; }
teardown_file() { remove_daemon; }

# withstands GROUP: expects all cases of the group to end as they should, and to leave nothing.
withstands() {
  words_of_tool daemon_input
  run --separate-stderr member "${TOOL[@]}" "$1" overlay:deb
  [[ $status == 0 && -n $output ]] || complain "$1: $(grep ^wrong <<<"$output")"
  expect_not_in_output 'wrong '
  wait_until 30 daemon_has_no_children || complain "children: $(children_of_daemon)"
  expect_same_daemon
  settles overlay "$SIZE"
}

@test "D3: the daemon withstands names of templates that are not registered" { withstands names; }

@test "D5: the daemon withstands frames that are too long, too deep, unterminated or not JSON" {
  local before
  before=$(awk '/VmHWM/ { print $2 }' "/proc/$(daemon_pid)/status")
  withstands frames
  # The daemon kept none of it in memory.
  (($(awk '/VmHWM/ { print $2 }' "/proc/$(daemon_pid)/status") < before + 32768)) || complain "too much memory"
}

@test "D14: the daemon withstands unknown methods, flags, several requests at once and a second lease" {
  withstands requests
}

@test "D6: the daemon drops descriptors that a client sends, and no process keeps them" {
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
