# suites: bookworm
# OpenZFS before 2.2 can't map ids: a template that belongs to root can only be read, and isolate says so. A template
# that belongs to a range of ids is used with that range.

load vm

BASE=500000
RANGE=$PARENT/range

setup_file() {
  snapshot_now
  zfs create "$RANGE"
  make_small_root /isolate/range
  chown -R --no-dereference "$BASE:$BASE" /isolate/range
  zfs snapshot "$RANGE@one"
}
teardown() {
  local status=0 name
  common_teardown || status=1
  for name in "$DATASET" "$RANGE"; do isolate -q -f -r "$name" 0 || status=1; done
  return "$status"
}

@test "a template of root's gives a read-only root, and a warning that says what to do" {
  succeeds isolate -z "$DATASET" sh -c 'id -u; cat /etc/debian_version; touch /new 2>/dev/null || echo "not written"'
  [[ ${lines[0]} == 0 && ${lines[1]} == 12.* && ${lines[2]} == 'not written' ]] || complain "lines"
  expect_in_errors "can't map ids: the root is read-only"
  expect_in_errors '-u and -g'
  wait_until 5 no_clones debisl || complain "$(clones_of debisl)"
}

@test "-q does not suppress that warning" {
  succeeds isolate -q -z "$DATASET" true
  expect_in_errors "can't map ids: the root is read-only"
}

@test "memory file systems can be written on a read-only root" {
  succeeds isolate -q -z "$DATASET" sh -c 'echo text >/tmp/file && cat /tmp/file'
  expect_output text
}

@test "with -u and -g and a template of that range the root is writable, without a warning" {
  local clone pid
  succeeds isolate -q -u "$BASE" -g "$BASE" -z "$RANGE" sh -c 'id -u; touch /new; stat -c %u:%g /new /etc/passwd'
  expect_output $'0\n0:0\n0:0'
  expect_no_errors
  start "$ISOLATE" -q -u "$BASE" -g "$BASE" -z "$RANGE" sh -c "touch /mine; chown 33:65535 /mine; echo ready; exec sleep $MARK"
  wait_until 30 run_is_ready || complain "$(cat "$SCRATCH/err")"
  clone=$(clones_of range)
  [[ $(on_disk "$clone" stat -c %u:%g mine) == $((BASE + 33)):$((BASE + 65535)) ]] || complain "$(on_disk "$clone" ls -ln)"
  pid=$(pid_of_run)
  expect_not_mounted "$clone"
  names_clone "$pid" "$clone" || complain "$(cat "/proc/$pid/mountinfo")"
  [[ $(id_of_process "$pid" Uid) == "$BASE" ]] || complain "$(cat "/proc/$pid/status")"
  kill_started TERM
  wait_until 5 no_clones range || complain "$(clones_of range)"
}

@test "-u alone gives the group the same base" {
  succeeds isolate -q -u "$BASE" -z "$RANGE" sh -c 'touch /new; stat -c %u:%g /new'
  expect_output 0:0
}

@test "the chroot engine uses the host's ids and can write a template of root's" {
  succeeds isolate -q -e chroot -z "$DATASET" sh -c 'touch /new; stat -c %u /new'
  expect_output 0
}

@test "pools work as with any ZFS" {
  local before
  succeeds isolate -q -r "$RANGE" 3
  expect_pool range fresh 3
  before=$(clones_of range)
  succeeds isolate -q -u "$BASE" -z "$RANGE" touch /new
  expect_pool range fresh 2
  succeeds isolate -q -r "$RANGE"
  expect_pool range fresh 3
  succeeds isolate -q -f -r "$RANGE" 3
  wait_until 20 pool_is range waiting 0
  expect_none_in_common "$before" "$(clones_of range)"
}
