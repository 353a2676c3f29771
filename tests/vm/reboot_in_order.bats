# then: echo b >/proc/sysrq-trigger, tests/vm/reboot_at_once.bats
# After a reboot in order, see reboot.bats. The next one is like a loss of power: nothing is stopped, nothing written.

load reboot

@test "the guest has booted, the pool is there, the socket listens, and nothing runs" {
  expect_another_boot
  [[ $(systemctl is-active isolated.socket) == active && $(systemctl is-active isolated.service) == inactive ]]
  [[ $(stat -c %U:%G:%a /run/isolate/org.isolate.Manager) == root:isolate:660 ]]
}

@test "the first run of a member sees a fresh clone, and the daemon that it starts clears away what was" {
  succeeds in_clone_of_member test ! -e /file
  expect_pool_of_this_boot
}

@test "nothing that belongs to somebody is lost" {
  expect_files_of_member
  expect_template
  expect_kept_clone
}

@test "twenty leases again, and a daemon that keeps the pool from boot on" {
  systemctl --quiet enable isolated.service
  start_runs
  remember
}
