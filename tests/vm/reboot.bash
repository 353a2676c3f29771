# Shared by the test files about reboots. Each of them runs in another boot of the same guest. Files in $KNOWN record
# what was there before.
# shellcheck shell=bash
# shellcheck disable=SC2034,SC2154 # the test files use them; WORK comes from the runner

load daemon

KNOWN=$WORK/known
SIZE=5
HOME_OF_MEMBER=/home/tester

# Like any machine with OpenZFS. The guest's own first boot does not import pools.
let_systemd_import_pools() {
  local unit
  for unit in zfs-load-module zfs-import-cache zfs-mount systemd-udev-settle; do
    rm -f "/etc/systemd/system/$unit.service"
  done
  systemctl daemon-reload
  systemctl --quiet enable zfs-load-module.service zfs-import-cache.service zfs-mount.service zfs-import.target zfs.target
  zpool set cachefile=/etc/zfs/zpool.cache rpool
}

# Starts twenty runs of a member that continue after the test: twelve that wait, and eight that are started again and
# again. Each first writes a file of the member.
start_runs() {
  local number
  rm -rf "$HOME_OF_MEMBER/files"
  as_caller mkdir "$HOME_OF_MEMBER/files"
  for number in {1..12}; do
    in_background "isolate -q -z zfs:debisl -d ~/files:/mnt sh -c 'echo $number >/mnt/$number; echo text >/file; exec sleep 100000'"
  done
  for number in {13..20}; do
    in_background "echo $number >files/$number; while :; do isolate -q -z zfs:debisl sh -c 'echo text >/file'; done"
  done
  wait_until 120 runs_have_begun || complain "$(ls "$HOME_OF_MEMBER/files"; isolatectl pool list)"
  sync "$HOME_OF_MEMBER"/files/*
}
in_background() { setsid runuser --login tester --command "$1" </dev/null >/dev/null 2>&1 3>&- & }
runs_have_begun() {
  [[ $(cat "$HOME_OF_MEMBER"/files/* 2>/dev/null | sort -n | tr '\n' ' ') == "$(seq -s ' ' 20) " ]] &&
    (($(isolatectl pool status zfs:debisl --json | jq '.[0].leased') >= 12))
}

remember() {
  mkdir -p "$KNOWN"
  cat /proc/sys/kernel/random/boot_id >"$KNOWN/boot"
  clones_of debisl | sed 's|.*/||' >"$KNOWN/clones"
  zfs list -H -o name,guid -t snapshot -r "$DATASET" >"$KNOWN/snapshots"
}

# --- what must hold after a boot --------------------------------------------------------------------------------------

expect_another_boot() {
  [[ $(</proc/sys/kernel/random/boot_id) != $(<"$KNOWN/boot") ]] || complain "the guest was not rebooted"
  mountpoint --quiet /isolate/debisl || complain "the pool was not imported: $(systemctl --failed)"
}

expect_files_of_member() {
  [[ $(cat "$HOME_OF_MEMBER"/files/* | sort -n | tr '\n' ' ') == "$(seq -s ' ' 20) " ]] || complain "$(ls "$HOME_OF_MEMBER/files")"
  [[ $(stat -c %U "$HOME_OF_MEMBER"/files/* | sort -u) == tester ]]
}

expect_template() {
  [[ $(zfs list -H -o name,guid -t snapshot -r "$DATASET") == "$(<"$KNOWN/snapshots")" ]] || complain "snapshots differ"
  [[ $(find /isolate/debisl -xdev | wc -l) -gt 5000 ]]
}

# Expects the pool to have its size, with clones of this boot, and of the earlier clones only the kept one to exist.
expect_pool_of_this_boot() {
  local old
  wait_until 120 has_size || complain "$(isolatectl pool list; clones_of debisl
    journalctl --unit isolated.service --boot --lines 30 --no-pager)"
  old=$(grep -vxF "$(<"$KNOWN/kept")" "$KNOWN/clones" | sort)
  expect_none_in_common "$old" "$(clones_of debisl | sed 's|.*/||')"
}
has_size() {
  pool_is debisl fresh "$SIZE" && pool_is debisl leased 0 && pool_is debisl waiting 0 && pool_is debisl kept 1 &&
    [[ $(number_of_clones debisl) == $((SIZE + 1)) ]]
}

expect_kept_clone() {
  local kept
  kept=$(<"$KNOWN/kept")
  zfs mount "$PARENT/$kept"
  [[ $(<"$MOUNTS/$kept/root/kept") == kept ]] || complain "$(ls "$MOUNTS/$kept")"
  zfs unmount "$PARENT/$kept"
}
