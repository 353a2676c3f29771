# suites: trixie, short
# OpenZFS that maps ids: what root's run sees, what is on disk, and how pools of clones are kept.

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

@test "a run's root is its own writable ZFS dataset, and nothing of it is left" {
  local before
  before=$(mounts)
  succeeds isolate -z "$DATASET" sh -c 'id -u; stat -f -c %T /; stat -c %u:%g / /etc/passwd; touch /new; chown 33:65535 /new; stat -c %u:%g /new'
  expect_output $'0\nzfs\n0:0\n0:0\n33:65535'
  [[ $stderr != *read-only* ]] || complain "an unexpected warning"
  succeeds isolate -q -z "$DATASET" test ! -e /new
  expect_no_errors
  wait_until 5 no_clones debisl || complain "$(clones_of debisl)"
  [[ ! -e /isolate/debisl/new ]]
  no_new_mounts "$before"
}

@test "a run's files are in its dataset with owners 0 to 65535, while its processes have ids of a private range" {
  local clone pid
  start_run -z "$DATASET" -- 'echo text >/file; chown 33:65535 /file; touch /mine; chmod 4755 /mine
    head -c 8388608 /dev/urandom >/large; sync /large'
  clone=$(clones_of debisl)
  [[ $(wc -l <<<"$clone") == 1 && -n $clone ]] || complain "not one clone: $clone"
  [[ $(on_disk "$clone" stat -c %u:%g file) == 33:65535 ]] || complain "$(on_disk "$clone" ls -ln)"
  [[ $(on_disk "$clone" stat -c %u:%g:%a mine) == 0:0:4755 ]] || complain "$(on_disk "$clone" ls -ln)"
  zpool sync rpool
  (($(zfs get -H -p -o value used "$clone") > 8000000)) || complain "$(zfs list "$clone")"
  pid=$(pid_of_run)
  (($(id_of_process "$pid" Uid) >= 1073741824 && $(id_of_process "$pid" Gid) >= 1073741824)) ||
    complain "$(cat "/proc/$pid/status")"
  kill_started TERM
  wait_until 5 no_clones debisl || complain "$(clones_of debisl)"
}

@test "a leased clone appears in its own run's mount table, and in no other" {
  local clone second own other
  start_run -z "$DATASET" -- 'echo one >/number'
  own=$(pid_of_run)
  clone=$(clones_of debisl)
  expect_not_mounted "$clone"
  names_clone "$own" "$clone" || complain "$(cat "/proc/$own/mountinfo")"
  refute names_clone "$STARTED_PID" "$clone"
  MARK=${MARK}1
  start_run -z "$DATASET" -- 'echo two >/number'
  other=$(pid_of_run)
  second=$(clones_of debisl | grep -vxF "$clone")
  expect_not_mounted "$second"
  names_clone "$other" "$second" || complain "$(cat "/proc/$other/mountinfo")"
  refute names_clone "$other" "$clone"
  refute names_clone "$own" "$second"
  # Processes that were started meanwhile have copied no mount, and mounting everything leaves clones alone.
  zfs mount -a
  expect_not_mounted "$clone"
  refute unshare --mount grep -F "$PARENT/debisl_" /proc/self/mountinfo
  [[ $(on_disk "$clone" cat number) == one && $(on_disk "$second" cat number) == two ]]
  kill "${STARTED[@]}"
  wait "${STARTED[@]}" || true
}

@test "--dry-run plans a run on a clone and makes none" {
  succeeds isolate --dry-run -z "$DATASET" true
  expect_in_output "root: file system zfs $PARENT/debisl_"
  expect_in_output 'root: id-mapped, on disk as inside'
  no_clones debisl || complain "$(clones_of debisl)"
}

@test "root can't destroy or unmount a clone under its run" {
  local clone
  start_run -z "$DATASET" -- true
  clone=$(clones_of debisl)
  fails_with_words 'busy' zfs destroy "$clone"
  fails_with_words 'not currently mounted' zfs unmount "$clone"
  [[ $(clones_of debisl) == "$clone" ]]
  succeeds isolatectl exec "${clone##*/}" sh -c 'echo still >/there; cat /there'
  expect_output still
  kill_started TERM
}
fails_with_words() {
  run "${@:2}"
  [[ $status != 0 && $output == *"$1"* ]] || complain "${*:2}: $output"
}

@test "a clone is mounted with the options of its properties" {
  zfs set setuid=off exec=on atime=on relatime=on "$PARENT"
  succeeds isolate -q -e chroot -z "$DATASET" awk '$5 == "/" { print "," $6 "," }' /proc/self/mountinfo
  [[ $output == *,nosuid,* && $output == *,relatime,* && $output != *,noatime,* ]] || complain "options"
  zfs inherit setuid "$PARENT"
  zfs set atime=off "$PARENT"
  succeeds isolate -q -e chroot -z "$DATASET" awk '$5 == "/" { print "," $6 "," }' /proc/self/mountinfo
  [[ $output != *,nosuid,* && $output == *,noatime,* ]] || complain "options"
  for property in exec atime relatime; do zfs inherit "$property" "$PARENT"; done
}

@test "a look into .zfs mounts no snapshots that somebody made of a clone" {
  local clone before
  start_run -z "$DATASET" -- true
  clone=$(clones_of debisl)
  zfs set snapdir=visible "$clone"
  zfs snapshot "$clone@mine"
  before=$(mounts)
  in_guest "$(pid_of_run)" ls /.zfs/snapshot/mine || true
  no_new_mounts "$before"
  zfs destroy "$clone@mine"
  kill_started TERM
}
in_guest() { nsenter --target "$1" --mount --root -- "${@:2}"; }

@test "only root can reach a clone's files" {
  start_run -z "$DATASET" -- 'cp /bin/sh /sh; chmod 4755 /sh'
  run setpriv --reuid 1000 --regid 1000 --init-groups ls "$MOUNTS"
  [[ $status != 0 && $output == *'Permission denied'* ]] || complain "a user reads $MOUNTS"
  kill_started TERM
}

@test "two runs share neither ids nor files" {
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

@test "with the chroot engine a ZFS clone has the host's ids" {
  succeeds isolate -q -e chroot -z "$DATASET" sh -c 'touch /new; stat -c %u /new; stat -f -c %T /; cat /proc/self/uid_map'
  [[ ${lines[0]} == 0 && ${lines[1]} == zfs && ${lines[2]} =~ ^\ +0\ +0\ +4294967295$ ]] || complain "lines"
}

@test "hooks can read and write the clone" {
  succeeds env PRE_SPAWN_HOOK='echo before >"$ROOTFS/root/hook"' POST_SPAWN_HOOK="cp \"\$ROOTFS/root/after\" $SCRATCH/" \
    "$ISOLATE" -q -z "$DATASET" sh -c 'cat /root/hook; echo after >/root/after'
  expect_output before
  [[ $(<"$SCRATCH/after") == after ]]
}

@test "a run that ends before its command starts leaves no clone" {
  fails_plainly 125 isolate 'PRE_SPAWN_HOOK' -- env PRE_SPAWN_HOOK=false "$ISOLATE" -q -z "$DATASET" true
  no_clones debisl || complain "after a hook that failed: $(clones_of debisl)"
  fails_plainly 125 isolate 'working directory' -- isolate -q -p /nonexistent -z "$DATASET" true
  no_clones debisl || complain "without its working directory: $(clones_of debisl)"
}

@test "hooks have the clone mounted for themselves only" {
  succeeds env PRE_SPAWN_HOOK="grep -c ' $PARENT/debisl_' /proc/1/mountinfo /proc/self/mountinfo >$SCRATCH/pre; true" \
    POST_SPAWN_HOOK="grep -c ' $PARENT/debisl_' /proc/1/mountinfo /proc/self/mountinfo >$SCRATCH/post; true" \
    "$ISOLATE" -q -z "$DATASET" true
  [[ $(<"$SCRATCH/pre") == $'/proc/1/mountinfo:0\n/proc/self/mountinfo:1' ]] || complain "$(<"$SCRATCH/pre")"
  [[ $(<"$SCRATCH/post") == $'/proc/1/mountinfo:0\n/proc/self/mountinfo:1' ]] || complain "$(<"$SCRATCH/post")"
}

@test "isolate -r NAME 5 keeps five fresh clones; a run takes one, and the next -r makes another" {
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
  [[ $(clones_of debisl) != *"$taken"* ]] || complain "the used clone still exists: $taken"
}

@test "-f replaces all unused clones, -s makes none, and a smaller number removes some" {
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

@test "-f does not touch a clone in use" {
  local used
  start_run -z "$DATASET" -- 'echo text >/file'
  used=$(clones_of debisl)
  isolate -q -r "$DATASET" 2
  succeeds isolate -q -f -r "$DATASET" 1
  expect_pool debisl leased 1
  [[ $(on_disk "$used" cat file) == text ]]
  kill_started TERM
  [[ $STATUS == 143 ]]
}

@test "with an empty pool runs make their clones at once, many at a time" {
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

@test "after SIGKILL of isolate its guest ends, and the next refresh destroys the clone" {
  start_run -z "$DATASET" -- 'head -c 16777216 /dev/urandom >/large'
  kill_started KILL
  wait_until 5 no_process_with "^sleep $MARK" || complain "the guest is still running"
  succeeds isolate -r "$DATASET" 0
  pool_settles debisl waiting 0
  no_clones debisl || complain "$(clones_of debisl)"
}

@test "after SIGKILL of isolate and the end of its guest, gc destroys the clone" {
  start_run -z "$DATASET" -- 'head -c 16777216 /dev/urandom >/large'
  kill_started KILL
  wait_until 5 no_process_with "^sleep $MARK" || complain "the guest is still running"
  succeeds isolatectl gc
  no_clones debisl || complain "$(clones_of debisl) $output $stderr"
}

@test "a busy clone is kept, reported, and tried again" {
  start_run --sync -z "$DATASET" -- true
  hold_clone "$(clones_of debisl)"
  kill_started TERM
  expect_pool debisl waiting 1
  succeeds isolate -r "$DATASET" 1
  expect_in_errors 'could not be destroyed yet'
  expect_pool debisl waiting 1
  expect_pool debisl fresh 1
  kill "$HOLDER"
  wait "$HOLDER" || true
  wait_until 10 no_longer_busy || complain "the clone stays: $(isolatectl pool status zfs:debisl --json)"
}
no_longer_busy() {
  isolate -q -r "$DATASET" 2>/dev/null
  pool_is debisl waiting 0
}

@test "fresh clones of another boot are never leased" {
  local before
  isolate -q -r "$DATASET" 2
  before=$(clones_of debisl)
  echo 01234567-89ab-cdef-0123-456789abcdef >"$SCRATCH/boot_id"
  # Use the chroot engine, because the kernel allows no new /proc in a user namespace while a mount covers part of the
  # host's.
  succeeds unshare --mount sh -ec 'mount --bind "$1" /proc/sys/kernel/random/boot_id
    isolate -q -e chroot -z "$2" true
    isolate -q -r "$2"' sh "$SCRATCH/boot_id" "$DATASET"
  expect_none_in_common "$before" "$(clones_of debisl)"
}

@test "--keep leaves the clone on the host until gc --kept, and other runs do not see it" {
  local kept
  succeeds isolate --keep -z "$DATASET" sh -c 'echo kept >/kept'
  expect_pool debisl kept 1
  kept=$(clones_of debisl)
  expect_in_errors "its changes are in $MOUNTS/${kept##*/}"
  [[ $(<"$MOUNTS/${kept##*/}/kept") == kept ]]
  start_run -z "$DATASET" -- true
  refute names_clone "$(pid_of_run)" "$kept"
  succeeds isolatectl gc --kept
  refute zfs list "$kept"
  kill_started TERM
  wait_until 20 cleared || complain "left: $(clones_of debisl)"
  isolate --keep -q -z "$DATASET" true
  isolate -q -f -r "$DATASET" 0
  [[ $(number_of_clones debisl) == 1 ]]
  succeeds isolatectl gc --kept
  no_clones debisl || complain "$(clones_of debisl)"
}

# calls_of WORDS...: prints the calls of zfs and isolate-zfs in a trace, without their arguments.
calls_of() { sed -nE 's/^\+ ((isolate-)?zfs [a-z]+) .*/\1/p' <<<"$1" | sort | uniq -c | awk '{ print $1, $2, $3 }'; }

@test "a run from the pool asks ZFS nothing, and isolate-zfs destroys its clone" {
  isolate -q -r "$DATASET" 1
  succeeds isolate --sync -x -z "$DATASET" true
  [[ $(calls_of "$stderr") == '1 isolate-zfs destroy' ]] || complain "$stderr"
  # The pool is empty now, and what the last refresh has recorded still counts.
  succeeds isolate --sync -x -z "$DATASET" true
  [[ $(calls_of "$stderr") == $'1 isolate-zfs clone\n1 isolate-zfs destroy' ]] || complain "$stderr"
}

@test "a snapshot made by hand counts for a pool after the next refresh, and without a pool at once" {
  isolate -q -r "$DATASET" 1
  touch /isolate/debisl/by-hand
  zfs snapshot "$DATASET@with-file"
  rm /isolate/debisl/by-hand
  succeeds isolate -q -z "$DATASET" test ! -e /by-hand
  succeeds isolate -q -z "$DATASET" test ! -e /by-hand
  isolate -q -r "$DATASET"
  succeeds isolate -q -z "$DATASET" test -e /by-hand
  isolate -q -r "$DATASET" 0
  zfs snapshot "$DATASET@without-file"
  succeeds isolate -q -z "$DATASET" test ! -e /by-hand
}

@test "isolatectl template snapshot counts at once, also for a pool" {
  isolate -q -r "$DATASET" 1
  touch /isolate/debisl/by-isolatectl
  succeeds isolatectl template snapshot zfs:debisl
  rm /isolate/debisl/by-isolatectl
  succeeds isolate -q -z "$DATASET" test -e /by-isolatectl
  zfs mount "$DATASET" 2>/dev/null || true
  zfs snapshot "$DATASET@without-it"
}

@test "a property that decides how clones are mounted counts for a pool after the next refresh" {
  isolate -q -r "$DATASET" 3
  zfs set setuid=off "$PARENT"
  succeeds isolate -q -r "$DATASET"
  succeeds isolate -q -e chroot -z "$DATASET" awk '$5 == "/" { print "," $6 "," }' /proc/self/mountinfo
  zfs inherit setuid "$PARENT"
  [[ $output == *,nosuid,* ]] || complain "options"
}

@test "a run skips clones of the pool that somebody has destroyed" {
  local clone
  isolate -q -r "$DATASET" 3
  for clone in $(clones_of debisl | head -n 2); do zfs destroy "$clone"; done
  for _ in 1 2; do succeeds isolate -q -z "$DATASET" true; done
}

@test "a clone is made again if the snapshot that a refresh has recorded is gone" {
  zfs snapshot "$DATASET@short"
  isolate -q -r "$DATASET" 1
  isolate -q --sync -z "$DATASET" true
  zfs destroy "$DATASET@short"
  succeeds isolate -q -z "$DATASET" true
}

@test "many clones are made and destroyed at a time, and each has its mark and its mount point" {
  local clone first
  succeeds isolate -x -r "$DATASET" 40
  [[ $(calls_of "$stderr" | grep clone) == '2 isolate-zfs clone' ]] || complain "$(calls_of "$stderr")"
  [[ $(number_of_clones debisl) == 40 ]] || complain "$(clones_of debisl)"
  for clone in $(clones_of debisl); do
    [[ $(zfs get -H -p -o value,source isolate:clone,mountpoint,canmount,origin "$clone" | tr '\n\t' '  ') == \
      "$DATASET@"*" local $MOUNTS/${clone##*/} local noauto local $DATASET@"*" - " ]] || complain "$(zfs get all "$clone")"
  done
  succeeds isolate -x -r "$DATASET" 0
  first=$stderr
  # On a slow machine the first 32 take all the time that a refresh has for this. Then the next one destroys the rest.
  succeeds isolate -x -r "$DATASET" 0
  [[ $(calls_of "$first"$'\n'"$stderr" | grep destroy) == '2 isolate-zfs destroy' ]] || complain "$first"
  no_clones debisl || complain "$(clones_of debisl)"
}

@test "a clone that the host has mounted is unmounted and destroyed" {
  local clone
  isolate -q -r "$DATASET" 2
  clone=$(clones_of debisl | head -n 1)
  # As after a crash between the making of a clone and its properties, and a boot.
  for property in isolate:clone mountpoint; do zfs inherit "$property" "$clone"; done
  zfs set canmount=on "$clone"
  zfs mount "$clone"
  succeeds isolate -q -f -r "$DATASET" 0
  no_clones debisl || complain "$(clones_of debisl)"
}

@test "a clone that has a snapshot stays, a refresh says why, and the others of its batch go" {
  local clone
  isolate -q -r "$DATASET" 3
  clone=$(clones_of debisl | head -n 1)
  zfs snapshot "$clone@daily"
  run --separate-stderr isolate -x -r "$DATASET" 0
  expect_in_errors "$clone has snapshots or datasets of its own; destroy them: zfs list -r -t all $clone"
  [[ $stderr != *destroy-busy* ]] || complain "it was tried again"
  [[ $(clones_of debisl) == "$clone" ]] || complain "$(clones_of debisl)"
  zfs destroy "$clone@daily"
  succeeds isolate -q -r "$DATASET" 0
  no_clones debisl || complain "$(clones_of debisl)"
}

@test "options of the parent's mount do not count for clones, which do not inherit them" {
  succeeds unshare --mount sh -ec 'mount -o remount,bind,noexec "$2" && isolate -q -r "$1" 2' sh "$DATASET" "/${PARENT##*/}"
  succeeds isolate -q -z "$DATASET" true
}

@test "isolate destroys neither clones of others nor those of another template" {
  local name snapshot keep=("$PARENT/other" "$PARENT/debisl_5" "$PARENT/debisl_6" "$PARENT/debisl_7")
  snapshot=$(zfs list -H -o name -t snapshot -r "$DATASET" | tail -n 1)
  isolate -q -r "$DATASET" 1
  zfs create -o mountpoint=none "${keep[0]}"
  zfs snapshot "${keep[0]}@one"
  zfs clone -o mountpoint=none -o isolate:clone=x "${keep[0]}@one" "${keep[1]}"
  zfs clone -o mountpoint=none "$snapshot" "${keep[2]}"
  zfs clone -o mountpoint=none "$snapshot" "${keep[3]}"
  zfs snapshot "${keep[3]}@mine"
  # As if isolate had been about to destroy them.
  for name in "${keep[@]:1:3}"; do touch "$STORE/zfs/${PARENT//\//%}/debisl/trash/${name##*/}"; done
  run isolate -q -r "$DATASET" 0
  # The one to which nothing was written and that has no snapshots could be an unfinished clone of isolate's.
  refute zfs list "${keep[2]}"
  for name in "${keep[0]}" "${keep[1]}" "${keep[3]}"; do zfs list "$name" >/dev/null || complain "$name is gone"; done
  rm -f "$STORE/zfs/${PARENT//\//%}"/debisl/trash/debisl_[57]
  zfs destroy "${keep[1]}"
  zfs destroy -r "${keep[0]}"
  zfs destroy -r "${keep[3]}"
}

@test "the zfs program does the same if isolate-zfs can't be started or can't use libzfs_core" {
  local stand_in
  printf '#!/bin/sh\nexit 3\n' >"$SCRATCH/no-library"
  printf '#!/bin/sh\nkill -SEGV $$\n' >"$SCRATCH/other-interface"
  chmod +x "$SCRATCH/no-library" "$SCRATCH/other-interface"
  for stand_in in /dev/null "$SCRATCH/no-library" "$SCRATCH/other-interface"; do
    succeeds unshare --mount sh -ec 'mount --bind "$2" /usr/libexec/isolate/isolate-zfs
      isolate -q -r "$1" 2
      isolate -q --sync -x -z "$1" true
      isolate -q -r "$1" 0' sh "$DATASET" "$stand_in"
    [[ $(calls_of "$stderr") == *'1 zfs destroy'* ]] || complain "$stderr"
    no_clones debisl || complain "$(clones_of debisl)"
  done
}
