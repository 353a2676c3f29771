# After a crash, see reboot_in_order.bats.

load reboot

teardown_file() {
  systemctl disable --now isolated.socket isolated.service
  isolatectl gc --kept
  isolate -q -f -r "$DATASET" 0
}

@test "the guest has booted, and the daemon with it" {
  expect_another_boot
  [[ $(systemctl is-active isolated.socket) == active && $(systemctl is-active isolated.service) == active ]]
}

@test "without a run of anybody's the pool is full again, and nothing else is left" {
  expect_pool_of_this_boot
}

@test "nothing that belongs to somebody is lost" {
  expect_files_of_member
  expect_template
  expect_kept_clone
}

@test "runs of members and of root" {
  succeeds in_clone_of_member test ! -e /file
  succeeds isolate -q -z "$DATASET" test ! -e /file
  wait_until 60 has_size || complain "$(isolatectl pool list)"
}
