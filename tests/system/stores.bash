# Real stores of each kind for root: an overlay, btrfs on a loop device, and ZFS by zfs-fuse on a pool in a file. They
# are in their own mount namespace, with private directories for the files of zfs-fuse and the stores in /run and
# /var/lib, so that the machine's own stores are not touched.
#
#   HOLDER   the process that keeps the namespace       MAIN   the main store
#   KINDS    the kinds that a file uses; all unless it calls only_kinds after "load stores"
#   PRIVATE_RUN=yes    /run/isolate is private to the namespace as well
# shellcheck shell=bash
# shellcheck disable=SC2034,SC2154

KINDS=(overlay btrfs zfs)
only_kinds() { KINDS=("$@"); }
ZFS_PARENT=isotest/isolate
# The ZFS template belongs to these ids, because zfs-fuse can't map ids. useradd gives no user a range up here
# (SUB_UID_MAX is 600100000), so that no user of this machine or of another test run has them.
ZFS_BASE=700000000

# Call these in setup_file and teardown_file.
make_stores() {
  STORES=$WORK/stores
  MAIN=$STORES/main
  HOLDER=$STORES/holder.pid
  export STORES MAIN HOLDER
  mkdir -m 0755 "$STORES"
  local holder=(sleep infinity)
  if has_kind zfs; then holder=(zfs-fuse --no-daemon); fi
  unshare --mount --propagation private "$BASH" -c '
    set -e
    cd "$1"
    mkdir run btrfs
    mkdir -p /run/isolate
    mount --bind /run/isolate run
    mount -t tmpfs -o mode=0755 tmpfs /run
    mkdir -p /run/isolate /run/zfs /run/lock/zfs
    if [[ $2 == yes ]]; then umount run; else mount --move run /run/isolate; fi
    mount -t tmpfs -o mode=0755 tmpfs /var/lib
    mkdir -p /var/lib/zfs /run/isolate/mounts
    mount -t tmpfs -o mode=0700 tmpfs /run/isolate/mounts
    echo $$ >holder.pid
    exec "${@:3}"' bash "$STORES" "${PRIVATE_RUN-}" "${holder[@]}" </dev/null >"$STORES/holder.log" 2>&1 3>&- &
  wait_until 20 holder_is_up || complain "the stores do not come up: $(cat "$STORES/holder.log")"
  ctl template create deb --from "$TARBALL"
  if has_kind btrfs; then make_btrfs_store; fi
  if has_kind zfs; then make_zfs_store; fi
}
has_kind() { [[ " ${KINDS[*]} " == *" $1 "* ]]; }
holder_is_up() {
  [[ -s $HOLDER ]] || return 1
  if has_kind zfs; then here zpool list >/dev/null 2>&1; else [[ $(cat "/proc/$(cat "$HOLDER")/comm") == sleep ]]; fi
}

make_btrfs_store() {
  truncate -s 3G "$STORES/btrfs.img"
  mkfs.btrfs -q "$STORES/btrfs.img" >/dev/null
  here mount -o loop "$STORES/btrfs.img" "$STORES/btrfs"
  ctl --store "btrfs:$STORES/btrfs/store" template create deb --from "$TARBALL"
}

make_zfs_store() {
  truncate -s 3G "$STORES/zfs.img"
  here zpool create -m none isotest "$STORES/zfs.img" 2>/dev/null
  here zfs create -o mountpoint="$STORES/zfs-base" "$ZFS_PARENT"
  ctl --store "zfs:$ZFS_PARENT" template create deb --from "$TARBALL"
  # zfs-fuse releases a mount later than it reports.
  wait_until 30 zfs_template_is_mounted || complain "$ZFS_PARENT/deb can't be mounted"
  here chown -R --no-dereference "$ZFS_BASE:$ZFS_BASE" /run/isolate/mounts/deb
  ctl template snapshot zfs:deb
}

zfs_template_is_mounted() {
  here zfs mount "$ZFS_PARENT/deb" 2>/dev/null || here mountpoint -q /run/isolate/mounts/deb
}

remove_stores() {
  [[ -s $HOLDER ]] || return 0
  if has_kind zfs; then here zpool export -f isotest 2>/dev/null || true; fi
  if has_kind btrfs; then here umount -l "$STORES/btrfs" || true; fi
  kill -KILL "$(cat "$HOLDER")"
  wait_until 5 holder_is_gone
  wait_until 5 rm -rf --one-file-system "$STORES"
}

holder_is_gone() { [[ ! -e /proc/$(cat "$HOLDER") ]]; }

here() { nsenter --mount="/proc/$(cat "$HOLDER")/ns/mnt" -- "$@"; }
ctl() { here "$ISOLATECTL" --store "$MAIN" -q "$@"; }
# in_store KIND OPTION... COMMAND...: runs a command in a clone of that kind's template.
in_store() {
  local kind=$1 options=()
  shift
  if [[ $kind == zfs ]]; then options=(-u "$ZFS_BASE"); fi
  here "$ISOLATE" --store "$MAIN" -q -z "$kind:deb" "${options[@]}" "$@"
}
# refresh KIND OPTION... [NUMBER]: runs isolate -r on that kind's template.
refresh() {
  local kind=$1
  shift
  here "$ISOLATE" --store "$MAIN" -q -r "$kind:deb" "$@"
}
# pool_is KIND FIELD VALUE: succeeds if the status of that kind's pool has this value.
pool_is() { [[ $(ctl pool status "$1:deb" --json | jq ".[0].$2") == "$3" ]]; }
expect_pool() { pool_is "$@" || complain "$1: expected $2 to be $3: $(ctl pool status "$1:deb" --json)"; }
# Prints the clones that exist, whatever the state says.
clones_of() {
  case $1 in
    overlay) ls "$MAIN/clones" ;;
    btrfs) here ls "$STORES/btrfs/store/clones" ;;
    zfs) here zfs list -H -o name -r "$ZFS_PARENT" | grep "/deb_" ;;
  esac
}
number_of_clones() { clones_of "$1" | grep -c . || true; }
