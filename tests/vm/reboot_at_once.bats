# After a crash, see reboot_in_order.bats.

load reboot

teardown_file() {
  systemctl disable --now isolated.socket isolated.service
  isolatectl gc --kept
  isolate -q -f -r "$DATASET" 0
}

@test "after the crash the guest boots and starts the daemon" {
  expect_another_boot
  [[ $(systemctl is-active isolated.socket) == active && $(systemctl is-active isolated.service) == active ]]
}

@test "the pool is full again without a run, and nothing else is left" {
  expect_pool_of_this_boot
}

@test "no data of users is lost" {
  expect_files_of_member
  expect_template
  expect_kept_clone
}

@test "members and root can run fresh clones" {
  succeeds in_clone_of_member test ! -e /file
  succeeds isolate -q -z "$DATASET" test ! -e /file
  wait_until 60 has_size || complain "$(isolatectl pool list)"
}
