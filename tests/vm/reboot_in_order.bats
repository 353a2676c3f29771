# then: echo b >/proc/sysrq-trigger, tests/vm/reboot_at_once.bats
# After a reboot in order, see reboot.bats. The next one is like a power failure: nothing is stopped and nothing is
# written.

load reboot

@test "after the reboot the pool is imported, the socket listens, and nothing runs" {
  expect_another_boot
  [[ $(systemctl is-active isolated.socket) == active && $(systemctl is-active isolated.service) == inactive ]]
  [[ $(stat -c %U:%G:%a /run/isolate/org.isolate.Manager) == root:isolate:660 ]]
}

@test "a member's first run gets a fresh clone, and starts the daemon, which removes the old clones" {
  succeeds in_clone_of_member test ! -e /file
  expect_pool_of_this_boot
}

@test "no data of users is lost" {
  expect_files_of_member
  expect_template
  expect_kept_clone
}

@test "before the crash: a member has twenty leases, and the daemon starts at boot" {
  systemctl --quiet enable isolated.service
  start_runs
  remember
}
