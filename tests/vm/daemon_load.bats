# suites: trixie
# The daemon under its hardened unit with twenty running leases: it is restarted, killed, and stopped with its socket.
# All runs continue to their end, no output that they wrote for their user is lost, and no clone is left.

load daemon
load leases

setup_file() { set_up_service 3; }
teardown_file() { take_down_service; }
teardown() {
  end_with_full_pool 3 || return 1
  no_zfs_state || complain "left: $(zfs_state)"
}

@test "twenty leases survive a restart of the daemon" {
  local before
  start_leases 20 "$SCRATCH/files"
  before=$(leased_clone | sort)
  succeeds systemctl restart isolated.service
  succeeds in_clone_of_member true
  leases_are 20 || complain "$(isolatectl pool list)"
  [[ -z $(comm -23 <(echo "$before") <(leased_clone | sort)) ]] || complain "leases are lost"
  finish_leases 20 "$SCRATCH/files"
  expect_full_pool 3
  expect_none_in_common "$before" "$(clones_of debisl)"
}

@test "twenty leases survive a SIGKILL of the daemon, which serves again afterwards" {
  local before
  start_leases 20 "$SCRATCH/files"
  before=$(pid_of_daemon)
  kill -KILL "$before"
  wait_until 20 daemon_is_another "$before" || complain "$(systemctl status isolated.service)"
  succeeds in_clone_of_member true
  leases_are 20 || complain "$(isolatectl pool list)"
  finish_leases 20 "$SCRATCH/files"
  expect_full_pool 3
}

@test "if the socket is stopped, twenty running leases end normally, and new requests are refused with advice" {
  local before
  start_leases 20 "$SCRATCH/files"
  before=$(leased_clone | sort)
  succeeds systemctl stop isolated.socket
  [[ $(systemctl is-active isolated.service) == inactive ]]
  run --separate-stderr in_clone_of_member true
  expect_status 125
  expect_in_errors 'systemctl start isolated.socket'
  finish_leases 20 "$SCRATCH/files"
  # Nobody destroys the clones meanwhile.
  [[ $(comm -12 <(echo "$before") <(clones_of debisl | sed 's|.*/||' | sort) | wc -l) == 20 ]] || complain "$(clones_of debisl)"
  succeeds systemctl start isolated.socket
  succeeds in_clone_of_member true
  expect_full_pool 3
  expect_none_in_common "$before" "$(clones_of debisl | sed 's|.*/||')"
}

@test "if the socket is stopped, root's refresh destroys the used clones of members" {
  start_leases 5 "$SCRATCH/files"
  succeeds systemctl stop isolated.socket
  finish_leases 5 "$SCRATCH/files"
  succeeds isolate -q -r "$DATASET"
  expect_pool debisl fresh 3
  wait_until 20 refreshed || complain "$(isolatectl pool list; clones_of debisl)"
}
refreshed() {
  isolate -q -r "$DATASET" 2>/dev/null
  [[ $(number_of_clones debisl) == 3 ]]
}

@test "if all members' processes are killed, the clones of twenty leases are destroyed" {
  start_leases 20 "$SCRATCH/files"
  kill -KILL "${STARTED[@]}"
  wait "${STARTED[@]}" 2>/dev/null || true
  STARTED=()
  expect_full_pool 3
  wait_until 10 no_process_with 'read -r _ </mnt/go' || complain "guests are still running"
}

@test "the service's hardening refused nothing that it needs" {
  succeeds journalctl --unit isolated.service --boot --no-pager
  [[ $output != *'not permitted'* && $output != *'error: '* ]] || complain "errors in the journal"
}
