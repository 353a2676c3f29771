# suites: bookworm
# The daemon with a ZFS that can't map ids: members can read root's templates, and isolate explains why they can't
# write.

load daemon

BASE=500000

setup_file() {
  set_up_service 2
  # A template that root has given to a range of ids.
  zfs create "$PARENT/range"
  make_small_root /isolate/range
  chown -R --no-dereference "$BASE:$BASE" /isolate/range
  zfs snapshot "$PARENT/range@one"
  isolate -q -r "$PARENT/range" 0
  isolatectl -q pool range "$PARENT/range" "$BASE"
}
teardown_file() { take_down_service; }
teardown() {
  local status=0
  common_teardown || status=1
  expect_full_pool 2 || status=1
  return "$status"
}

@test "a member can read the root but not write it, and a warning says so" {
  succeeds member -z zfs:debisl sh -c 'id -u; cat /etc/debian_version; touch /new 2>/dev/null || echo "not written"; echo text >/tmp/file; cat /tmp/file'
  [[ ${lines[0]} == 0 && ${lines[1]} == 12.* && ${lines[2]} == 'not written' && ${lines[3]} == text ]] || complain "lines"
  expect_in_errors "can't map ids: the root is read-only"
}

@test "with --userns=private a member can't write the root either" {
  succeeds member -z zfs:debisl --userns=private sh -c 'cat /etc/debian_version; touch /new 2>/dev/null || echo "not written"'
  [[ ${lines[0]} == 12.* && ${lines[1]} == 'not written' ]] || complain "lines"
  expect_in_errors 'the root is read-only'
}

@test "with -u and -g and a template of that range the root is writable, without a warning" {
  succeeds member -q -u "$BASE" -g "$BASE" -z zfs:range sh -c 'id -u; touch /new; chown 33:65535 /new; stat -c %u:%g /new'
  expect_output $'0\n33:65535'
  expect_no_errors
  run --separate-stderr member -q -u 600000 -g 600000 -z zfs:range true
  expect_status 125
  wait_until 20 no_clones range || complain "$(clones_of range)"
}

@test "a member can't make the root writable from inside" {
  succeeds in_clone_of_member --cap-add ALL --seccomp=none sh -c 'mount -o remount,rw / 2>/dev/null; mount -o remount,bind,rw / 2>/dev/null
    touch /new 2>/dev/null || echo "not written"'
  expect_output 'not written'
}

@test "the pool is full again, and the hardening refused the service nothing" {
  succeeds in_clone_of_member true
  expect_full_pool 2
  succeeds journalctl --unit isolated.service --boot --no-pager
  [[ $output != *'not permitted'* && $output != *'error: '* ]] || complain "errors in the journal"
}

@test "a lease survives a restart of the service under a running guest" {
  local clone
  start_run -z zfs:debisl -- true
  clone=$(leased_clone)
  succeeds systemctl restart isolated.service
  succeeds in_clone_of_member true
  [[ $(leased_clone) == *"$clone"* ]] || complain "the lease is gone"
  kill_started TERM
  expect_full_pool 2
}
