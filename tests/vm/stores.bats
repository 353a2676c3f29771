# suites: trixie, short
# OpenZFS that maps ids: what a run as root sees, what lies on disk, and how pools of clones are kept.

load vm

setup_file() {
  snapshot_now
}
# Each test begins with an empty pool.
teardown() {
  local status=0
  common_teardown || status=1
  isolate -q -f -r "$DATASET" 0 || status=1
  wait_until 20 cleared || { complain "left: $(clones_of debisl)" || status=1; }
  return "$status"
}
cleared() {
  isolate -q -r "$DATASET" 0 2>/dev/null
  no_clones debisl && no_zfs_state
}

@test "a run's root is a ZFS dataset of its own that it can write, and nothing of it is left" {
  local before
  before=$(mounts)
  succeeds isolate -z "$DATASET" sh -c 'id -u; stat -f -c %T /; stat -c %u:%g / /etc/passwd; touch /new; chown 33:65535 /new; stat -c %u:%g /new'
  expect_output $'0\nzfs\n0:0\n0:0\n33:65535'
  [[ $stderr != *read-only* ]] || complain "a warning"
  succeeds isolate -q -z "$DATASET" test ! -e /new
  expect_no_errors
  wait_until 5 no_clones debisl || complain "$(clones_of debisl)"
  [[ ! -e /isolate/debisl/new ]]
  no_new_mounts "$before"
}

@test "what a run writes lies in its dataset, owned by 0 to 65535, while its processes have ids of a private range" {
  local clone pid
  start_run -z "$DATASET" -- 'echo text >/file; chown 33:65535 /file; touch /mine; chmod 4755 /mine
    head -c 8388608 /dev/urandom >/large; sync /large'
  clone=$(clones_of debisl)
  [[ $(wc -l <<<"$clone") == 1 && -n $clone ]] || complain "not one clone: $clone"
  [[ $(stat -c %u:%g "$MOUNTS/${clone##*/}/file") == 33:65535 ]] || complain "$(ls -ln "$MOUNTS/${clone##*/}")"
  [[ $(stat -c %u:%g:%a "$MOUNTS/${clone##*/}/mine") == 0:0:4755 ]] || complain "$(ls -ln "$MOUNTS/${clone##*/}")"
  zpool sync rpool
  (($(zfs get -H -p -o value used "$clone") > 8000000)) || complain "$(zfs list "$clone")"
  pid=$(pid_of_run)
  (($(id_of_process "$pid" Uid) >= 1073741824 && $(id_of_process "$pid" Gid) >= 1073741824)) ||
    complain "$(cat "/proc/$pid/status")"
  kill_started TERM
  wait_until 5 no_clones debisl || complain "$(clones_of debisl)"
}

@test "nobody but root reaches a clone's files" {
  start_run -z "$DATASET" -- 'cp /bin/sh /sh; chmod 4755 /sh'
  run setpriv --reuid 1000 --regid 1000 --init-groups ls "$MOUNTS"
  [[ $status != 0 && $output == *'Permission denied'* ]] || complain "a user reads $MOUNTS"
  kill_started TERM
}

@test "two runs have nothing in common: neither ids nor files" {
  local first second
  start_run -z "$DATASET" -- 'echo one >/number'
  first=$(id_of_process "$(pid_of_run)" Uid)
  MARK=${MARK}1
  start_run -z "$DATASET" -- 'test ! -e /number'
  second=$(id_of_process "$(pid_of_run)" Uid)
  ((first - second >= 65536 || second - first >= 65536)) || complain "$first and $second"
  [[ $(number_of_clones debisl) == 2 ]]
  kill "${STARTED[@]}"
  wait "${STARTED[@]}" || true
}

@test "the snapshot of a template can't be reached or written from a clone" {
  succeeds isolate -q -z "$DATASET" sh -c 'ls -A /.zfs/snapshot 2>/dev/null; rm -rf /etc /var; ls / | wc -l'
  succeeds isolate -q -z "$DATASET" cat /etc/debian_version
}

@test "chroot engine: a clone of ZFS with the host's ids" {
  succeeds isolate -q -e chroot -z "$DATASET" sh -c 'touch /new; stat -c %u /new; stat -f -c %T /; cat /proc/self/uid_map'
  [[ ${lines[0]} == 0 && ${lines[1]} == zfs && ${lines[2]} =~ ^\ +0\ +0\ +4294967295$ ]] || complain "lines"
}

@test "hooks read and write the clone" {
  succeeds env PRE_SPAWN_HOOK='echo before >"$ROOTFS/root/hook"' POST_SPAWN_HOOK="cp \"\$ROOTFS/root/after\" $SCRATCH/" \
    "$ISOLATE" -q -z "$DATASET" sh -c 'cat /root/hook; echo after >/root/after'
  expect_output before
  [[ $(<"$SCRATCH/after") == after ]]
}

@test "isolate -r NAME 5 keeps five fresh clones; a run takes one, the next -r makes the next" {
  local before taken
  succeeds isolate -r "$DATASET" 5
  expect_pool debisl fresh 5
  [[ $(number_of_clones debisl) == 5 ]] || complain "$(clones_of debisl)"
  before=$(clones_of debisl)
  start_run -z "$DATASET" -- true
  expect_pool debisl fresh 4
  expect_pool debisl leased 1
  taken=$(isolatectl ps --json | jq -r '.[0].clone // .[0].id // .[0].lease')
  kill_started TERM
  succeeds isolate -q -r "$DATASET"
  expect_pool debisl fresh 5
  grep -qxF "$PARENT/$taken" <<<"$before" || complain "$taken is none of: $before"
  [[ $(clones_of debisl) != *"$taken"* ]] || complain "the used one is still there: $taken"
}

@test "-f replaces all that are unused, -s makes none, a smaller number takes some away" {
  local before
  isolate -q -r "$DATASET" 3
  before=$(clones_of debisl)
  succeeds isolate -f -r "$DATASET" 3
  pool_settles debisl waiting 0
  expect_pool debisl fresh 3
  expect_none_in_common "$before" "$(clones_of debisl)"
  succeeds isolate -q -r "$DATASET" 1
  expect_pool debisl fresh 1
  succeeds isolate -f -s -r "$DATASET" 3
  expect_pool debisl fresh 0
  expect_pool debisl size 3
}

@test "-f spares a clone that is in use" {
  isolate -q -r "$DATASET" 2
  start_run -z "$DATASET" -- 'echo text >/file'
  succeeds isolate -q -f -r "$DATASET" 1
  expect_pool debisl leased 1
  [[ $(cat "$MOUNTS"/debisl_*/file) == text ]]
  kill_started TERM
  [[ $STATUS == 143 ]]
}

@test "an empty pool makes clones on the spot, many at a time" {
  local number runs=()
  isolate -q -r "$DATASET" 2
  for number in {1..8}; do
    isolate -q -z "$DATASET" sh -c "test ! -e /mark && echo $number >/mark && sleep 0.5 && cat /mark" \
      >>"$SCRATCH/numbers" 2>>"$SCRATCH/errors" 3>&- &
    runs+=("$!")
  done
  wait "${runs[@]}" || true
  [[ $(sort -n "$SCRATCH/numbers" | tr '\n' ' ') == '1 2 3 4 5 6 7 8 ' ]] || complain "$(cat "$SCRATCH/numbers" "$SCRATCH/errors")"
  wait_until 30 settled 2 || complain "$(isolatectl pool status zfs:debisl --json)"
}
settled() {
  isolate -q -r "$DATASET" 2>/dev/null
  pool_is debisl fresh "$1" && pool_is debisl leased 0 && pool_is debisl waiting 0 && [[ $(number_of_clones debisl) == "$1" ]]
}

@test "after a SIGKILL of isolate its guest ends, and the next refresh destroys the clone" {
  start_run -z "$DATASET" -- true
  kill_started KILL
  wait_until 5 no_process_with "^sleep $MARK" || complain "the guest lives on"
  succeeds isolate -r "$DATASET" 0
  pool_settles debisl waiting 0
  no_clones debisl || complain "$(clones_of debisl)"
}

@test "a busy clone is kept, told of, and tried again" {
  local holder
  start_run -z "$DATASET" -- true
  # A mount namespace that was made meanwhile has a copy of the clone's mount.
  unshare --mount --propagation private sleep 60 3>&- &
  holder=$!
  STARTED+=("$holder")
  wait_until 5 holds_mounts "$holder"
  kill_started TERM
  expect_pool debisl waiting 1
  succeeds isolate -r "$DATASET" 1
  expect_in_errors 'could not be destroyed yet'
  expect_pool debisl waiting 1
  expect_pool debisl fresh 1
  kill "$holder"
  wait "$holder" || true
  wait_until 10 no_longer_busy || complain "it stays: $(isolatectl pool status zfs:debisl --json)"
}
holds_mounts() { grep -q "$MOUNTS/debisl_" "/proc/$1/mounts" && [[ $(readlink "/proc/$1/ns/mnt") != "$(readlink /proc/self/ns/mnt)" ]]; }
no_longer_busy() {
  isolate -q -r "$DATASET" 2>/dev/null
  pool_is debisl waiting 0
}

@test "fresh clones of another boot are never leased" {
  local before
  isolate -q -r "$DATASET" 2
  before=$(clones_of debisl)
  echo 01234567-89ab-cdef-0123-456789abcdef >"$SCRATCH/boot_id"
  # With the engine chroot: no user namespace may mount a /proc where something covers a part of the host's.
  succeeds unshare --mount sh -ec 'mount --bind "$1" /proc/sys/kernel/random/boot_id
    isolate -q -e chroot -z "$2" true
    isolate -q -r "$2"' sh "$SCRATCH/boot_id" "$DATASET"
  expect_none_in_common "$before" "$(clones_of debisl)"
}

@test "--keep leaves the clone until gc --kept" {
  succeeds isolate --keep -z "$DATASET" sh -c 'echo kept >/kept'
  expect_pool debisl kept 1
  isolate -q -f -r "$DATASET" 0
  [[ $(number_of_clones debisl) == 1 ]]
  succeeds isolatectl gc --kept
  no_clones debisl || complain "$(clones_of debisl)"
}
