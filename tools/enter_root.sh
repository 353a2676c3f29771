#!/usr/bin/env bash
# enter_root.sh ROOT COMMAND...: runs a command in a Debian root with its own /proc, /sys, /dev and /run, like on a separate
# machine. It mounts file systems and calls pivot_root, so it must be process 1 of new mount, pid, IPC and UTS namespaces.
# fresh.sh makes these.
set -euo pipefail

root=$1
shift
((BASHPID == 1)) || { echo "enter_root.sh: must be process 1 of a new pid namespace; use ./dev fresh" >&2 && exit 1; }
mount --rbind "$root" "$root"
cd "$root"
mount -t proc proc proc
mount --rbind /sys sys
mount --bind /dev dev
mount -t devpts -o newinstance,mode=620,gid=5,ptmxmode=666 devpts dev/pts
mount -t tmpfs -o mode=1777,nosuid,nodev shm dev/shm
mount -t tmpfs -o mode=0755,nosuid,nodev run run
mkdir -m 1777 run/lock
hostname fresh
pivot_root . mnt
cd /
umount --lazy /mnt
status=0
env --ignore-environment PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root TERM="${TERM:-dumb}" \
  CI="${CI:-}" "$@" || status=$?
exit "$status"
