# suites: trixie
# ZFS pools in trouble: full, exported, imported again, with busy datasets. Affected users get one error line, others
# are served, and afterwards everything is as before.

load daemon

SMALL=small/isolate

setup_file() {
  set_up_service 2
  make_small_root "$WORK/small-root"
}
teardown_file() { take_down_service; }

# Each test has its own pool in a file, with a template and two fresh clones.
setup() {
  common_setup
  truncate --size 256M "$WORK/small.img"
  zpool create -O mountpoint=none -O compression=off small "$WORK/small.img"
  zfs create -o mountpoint=/small "$SMALL"
  zfs create "$SMALL/tiny"
  cp -a "$WORK/small-root/." /small/tiny/
  zfs snapshot "$SMALL/tiny@one"
  isolate -q -r "$SMALL/tiny" 2
}
teardown() {
  local status=0
  common_teardown || status=1
  zpool import -d "$WORK" small 2>/dev/null || true
  isolate -q -f -r "$SMALL/tiny" 0 || status=1
  wait_until 30 no_small_clones || { complain "left: $(small_clones)" || status=1; }
  systemctl stop isolated.service
  zpool destroy small || status=1
  rm -f "$WORK/small.img"
  rm -rf "$STORE"/zfs/small*
  systemctl start isolated.service || status=1
  expect_full_pool 2 || status=1
  return "$status"
}

small_clones() { zfs list -H -o name -r "$SMALL" | grep -E "^$SMALL/tiny_[0-9]+$" || true; }
no_small_clones() { [[ -z $(small_clones) ]]; }
in_tiny() { member -q -z "$SMALL/tiny" "$@"; }
tiny_is_full() {
  pool_is tiny fresh 2 && pool_is tiny leased 0 && pool_is tiny waiting 0 && [[ $(small_clones | wc -l) == 2 ]]
}
expect_full_tiny() {
  wait_until 90 tiny_is_full || complain "$(isolatectl pool list; small_clones; journalctl --unit isolated.service --lines 30 --no-pager)"
}
# Writes until not a single byte more fits.
fill() {
  dd if=/dev/zero of=/small/filling bs=1M 2>/dev/null || true
  zpool sync small
  dd if=/dev/zero bs=4k >>/small/filling 2>/dev/null || true
  zpool sync small
}

@test "a run that fills the pool gets an error, and the next one has space again" {
  run --separate-stderr in_tiny sh -c 'cat /dev/zero >/large'
  [[ $status != 0 && $status != 125 ]]
  expect_in_errors 'no space left'
  expect_full_tiny
  succeeds in_tiny sh -c 'test ! -e /large && echo text >/file && cat /file'
  expect_output text
  expect_full_tiny
}

@test "while one run has filled the pool, others run or fail in one line, and other pools are not affected" {
  start "$ISOLATE" -q -z "$SMALL/tiny" sh -c "cat /dev/zero >/large 2>/dev/null; echo ready; exec sleep $MARK"
  wait_until 120 run_is_ready || complain "$(cat "$SCRATCH/err")"
  zpool sync small
  run --separate-stderr in_tiny cat /etc/passwd
  [[ $status == 0 || $status == 125 ]] || complain "status"
  [[ $status == 0 ]] || one_error_line isolate
  succeeds in_clone_of_member true
  kill_started TERM
  expect_full_tiny
  succeeds in_tiny sh -c 'echo text >/file'
}

@test "if others have filled the pool, root's refresh reports it, and fills the pool later when there is space" {
  fill
  run --separate-stderr isolate -f -r "$SMALL/tiny" 4
  if [[ $status != 0 ]]; then one_error_line isolate; fi
  [[ $status == 0 ]] || expect_in_errors 'space'
  rm /small/filling
  zpool sync small
  succeeds isolate -q -r "$SMALL/tiny" 2
  expect_full_tiny
  succeeds in_tiny cat /etc/passwd
}

@test "with an exported pool, runs fail in one line, others are served, and after the import everything is back" {
  local before
  succeeds in_tiny true
  expect_full_tiny
  before=$(small_clones)
  succeeds zpool export small
  run --separate-stderr in_tiny true
  expect_status 125
  one_error_line isolate
  run --separate-stderr isolate -q -z "$SMALL/tiny" true
  expect_status 125
  one_error_line isolate
  run --separate-stderr isolate -q -r "$SMALL/tiny" 2
  expect_status 125
  one_error_line isolate
  succeeds isolatectl template list
  expect_in_output debisl
  succeeds in_clone_of_member true
  expect_full_pool 2
  succeeds systemctl restart isolated.service
  succeeds in_clone_of_member true
  succeeds zpool import -d "$WORK" small
  succeeds in_tiny cat /etc/passwd
  expect_full_tiny
  [[ -n $before ]]
}

@test "a pool in use can't be exported; after the run it can" {
  start_run -z "$SMALL/tiny" -- 'echo text >/file'
  refute zpool export small
  succeeds in_clone_of_member true
  kill_started TERM
  [[ $STATUS == 143 ]]
  expect_full_tiny
  succeeds zpool export small
  succeeds zpool import -d "$WORK" small
  succeeds in_tiny true
  expect_full_tiny
}

@test "fresh clones that somebody destroyed, or that a pool from a backup lacks, are made again" {
  local name
  for name in $(small_clones); do zfs destroy "$name"; done
  succeeds isolate -q -r "$SMALL/tiny"
  expect_full_tiny
  systemctl stop isolated.service
  for name in $(small_clones); do zfs destroy "$name"; done
  zpool export small
  zpool import -d "$WORK" small
  succeeds in_tiny cat /etc/passwd
  expect_full_tiny
}

@test "a busy clone stays until it is free, and meanwhile the pool is full and others are served" {
  local clone
  start_run -z "$SMALL/tiny" -- true
  clone=$(small_leased)
  [[ -n $clone ]]
  zfs snapshot "$SMALL/$clone@held"
  zfs hold keep "$SMALL/$clone@held"
  hold_clone "$SMALL/$clone"
  kill_started TERM
  wait_until 30 pool_is tiny waiting 1 || complain "$(isolatectl pool list)"
  wait_until 60 pool_is tiny fresh 2 || complain "$(isolatectl pool list)"
  succeeds in_tiny cat /etc/passwd
  zfs list "$SMALL/$clone"
  kill "$HOLDER"
  wait "$HOLDER" || true
  zfs release keep "$SMALL/$clone@held"
  zfs destroy "$SMALL/$clone@held"
  expect_full_tiny
  refute zfs list "$SMALL/$clone"
}
small_leased() { find "$STORE"/zfs/*/tiny/leased -mindepth 1 -printf '%f\n'; }

@test "runs work if a template's dataset is unmounted, read-only or busy" {
  local holder
  (cd /small/tiny && exec sleep 1000) 3>&- &
  holder=$!
  STARTED+=("$holder")
  succeeds in_tiny cat /etc/passwd
  expect_full_tiny
  kill "$holder"
  wait "$holder" || true
  zfs set readonly=on "$SMALL/tiny"
  zfs unmount "$SMALL/tiny"
  succeeds in_tiny sh -c 'cat /etc/passwd; touch /new'
  expect_output root:x:0:0::/root:/bin/sh
  expect_full_tiny
  zfs set readonly=off "$SMALL/tiny"
}
