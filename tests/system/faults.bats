# variants: root-bwrap user-bwrap: the identities differ in ids and mounts, the engine does not matter
# other variants: root-native user-native
# Faults of the machine. Each gives one clear line and status 125; nothing is lost and nothing is left behind.

load helpers

# Mounts a file system of 40 MB in a file on $SCRATCH/disk. The identity owns it and has a store in it.
mount_small_disk() {
  truncate --size 40M "$SCRATCH/image"
  mkfs.ext4 -q -m 0 "$SCRATCH/image"
  mkdir -p "$SCRATCH/disk"
  mount -o loop "$SCRATCH/image" "$SCRATCH/disk"
  rmdir "$SCRATCH/disk/lost+found"
  chown "$CALLER_UID:$CALLER_GID" "$SCRATCH/disk"
  chmod 0700 "$SCRATCH/disk"
  STORE=$SCRATCH/disk
}

# Makes a template of a shell and a few programs of the Debian root, because there is room for no more on the small
# disk.
make_small_template() {
  local small=$SCRATCH/small
  copy_of_tree "$small"
  rm -rf --one-file-system "${small:?}"/{var,usr/share,usr/sbin,usr/lib/systemd}
  find "$small/usr/bin" -type f -not -name dash -not -name dd -not -name cat -not -name df -not -name touch \
    -not -name sleep -not -name true -not -name uname -delete
  find "$small/usr/lib/x86_64-linux-gnu" -mindepth 1 -not -name 'libc.so*' -not -name 'ld-linux*' \
    -not -name 'libselinux*' -not -name 'libpcre2*' -delete
  find "$small" -xtype l -delete
  isolatectl template create small --from "$small"
}
in_small() { isolate -q -z small "$@"; }

fill_disk() {
  dd if=/dev/zero of="$SCRATCH/disk/filler" bs=4k 2>/dev/null || true
  dd if=/dev/zero of="$SCRATCH/disk/filler2" bs=512 2>/dev/null || true
}

# Prints a setup for in_private_mounts that hides a program of /usr/bin.
hide_program() {
  mkdir -p "$SCRATCH/hide-upper" "$SCRATCH/hide-work"
  echo "mount -t overlay overlay -o lowerdir=/usr/bin,upperdir=$SCRATCH/hide-upper,workdir=$SCRATCH/hide-work /usr/bin
    rm -f /usr/bin/$1"
}

@test "a guest that fills the disk gets an error, and all space is freed afterwards" {
  mount_small_disk
  make_small_template
  local free
  free=$(df --output=avail "$SCRATCH/disk" | tail -n 1)
  run --separate-stderr in_small sh -c 'dd if=/dev/zero of=/fill bs=1M count=100'
  expect_status 1
  expect_in_errors 'No space left'
  store_gets_clean
  [[ $(df --output=avail "$SCRATCH/disk" | tail -n 1) -ge $((free - 200)) ]]
  succeeds in_small true
}

@test "on a full disk a run fails in one line, leaves nothing, and works again when there is space" {
  mount_small_disk
  make_small_template
  fill_disk
  isolate_refuses 'No space left' -- in_small true
  isolate_refuses 'No space left' -- in_small true
  store_gets_clean
  rm "$SCRATCH/disk/filler" "$SCRATCH/disk/filler2"
  succeeds in_small uname
  expect_output Linux
}

@test "on a disk without free inodes a run fails in one line, and works again when there are some" {
  truncate --size 40M "$SCRATCH/image"
  mkfs.ext4 -q -m 0 -N 2000 "$SCRATCH/image"
  mkdir "$SCRATCH/disk"
  mount -o loop "$SCRATCH/image" "$SCRATCH/disk"
  rmdir "$SCRATCH/disk/lost+found"
  chown "$CALLER_UID:$CALLER_GID" "$SCRATCH/disk"
  chmod 0700 "$SCRATCH/disk"
  STORE=$SCRATCH/disk
  make_small_template
  mkdir "$SCRATCH/disk/filler"
  /usr/bin/python3 -c '
import itertools, sys
try:
    for number in itertools.count():
        open(f"{sys.argv[1]}/{number}", "w").close()
except OSError:
    pass' "$SCRATCH/disk/filler"
  isolate_refuses 'No space left' -- in_small true
  rm -r "$SCRATCH/disk/filler"
  store_gets_clean
  succeeds in_small true
}

@test "on a full disk template create fails in one line and leaves nothing" {
  mount_small_disk
  isolatectl_refuses 'No space left' -- isolatectl template create debian --from "$TARBALL"
  store_gets_clean
  [[ ! -e $STORE/templates/debian ]]
  isolatectl_refuses 'No space left' -- isolatectl template create debian --from "$TREE"
  store_gets_clean
  [[ $(df --output=avail "$SCRATCH/disk" | tail -n 1) -gt 20000 ]]
  make_small_template
}

@test "a read-only store is an error in one line" {
  isolate_refuses 'Read-only file system' -- \
    in_private_mounts "mount --bind $STORE $STORE; mount -o remount,bind,ro $STORE" \
    "$ISOLATE" --store "$STORE" -z debian true
  isolatectl_refuses 'Read-only file system' -- in_private_mounts \
    "mount --bind $STORE $STORE; mount -o remount,bind,ro $STORE" \
    "$ISOLATECTL" --store "$STORE" template create other --from "$TARBALL"
  succeeds in_clone true
}

@test "a path that is no store is an error in one line" {
  touch "$SCRATCH/file"
  isolate_refuses -- isolate --store "$SCRATCH/file" -z debian true
  isolate_refuses -- isolate --store "$SCRATCH/nothing" -z debian true
  isolate_refuses -- isolate --store /proc/nothing -z debian true
  [[ ! -e $SCRATCH/nothing/clones ]]
}

@test "a store that the caller can't write is an error in one line" {
  mkdir -m 0755 "$SCRATCH/foreign"
  chown root: "$SCRATCH/foreign"
  if [[ $IDENTITY == user ]]; then
    isolate_refuses 'store-root' -- isolate --store "$WORK/store-root" -z debian true
    isolatectl_refuses 'Permission denied' -- \
      as_caller "$ISOLATECTL" --store "$SCRATCH/foreign/store" template create x --from "$TARBALL"
  else
    isolate_refuses 'Not a directory' -- isolate --store "$TARBALL/x" -z debian true
  fi
}

@test "without bwrap the native engine is used and a warning says so, but -e bwrap is refused" {
  local setup
  setup=$(hide_program bwrap)
  isolate_refuses bwrap bubblewrap -- in_private_mounts "$setup" "$ISOLATE" --store "$STORE" -e bwrap -z debian true
  store_gets_clean
  if [[ $ENGINE == bwrap ]]; then
    succeeds in_private_mounts "$setup" "$ISOLATE" --store "$STORE" -z debian id -u
    expect_output 0
    expect_in_errors 'bwrap is not installed' native
  fi
  succeeds in_private_mounts "$setup" "$ISOLATE" --store "$STORE" -e native -z debian id -u
  expect_output 0
  expect_no_errors
  succeeds in_private_mounts "$setup" "$ISOLATE" --store "$STORE" -q -e chroot -z debian id -u
  expect_output 0
}

@test "a bwrap that can't be executed, or does not run the command, is an error" {
  chmod 0755 "$SCRATCH"
  printf '#!/bin/sh\nexit 0\n' >"$SCRATCH/bwrap"
  chmod 0755 "$SCRATCH/bwrap"
  # This bwrap does nothing. The command did not run, so the status must not be 0.
  run --separate-stderr in_private_mounts "mount --bind $SCRATCH/bwrap /usr/bin/bwrap" \
    "$ISOLATE" --store "$STORE" -q -e bwrap -z debian true
  expect_status 125
  one_error_line isolate
  : >"$SCRATCH/bwrap"
  chmod 0644 "$SCRATCH/bwrap"
  isolate_refuses bwrap -- \
    in_private_mounts "mount --bind $SCRATCH/bwrap /usr/bin/bwrap" "$ISOLATE" --store "$STORE" -q -e bwrap -z debian true
}

@test "a missing newuidmap or newgidmap is an error in one line" {
  if [[ $IDENTITY == root ]]; then
    # Root does not need them.
    succeeds in_private_mounts "$(hide_program newuidmap)" "$ISOLATE" --store "$STORE" -q -z debian id -u
    expect_output 0
  else
    isolate_refuses newuidmap uidmap -- \
      in_private_mounts "$(hide_program newuidmap)" "$ISOLATE" --store "$STORE" -z debian true
    isolate_refuses newgidmap uidmap -- \
      in_private_mounts "$(hide_program newgidmap)" "$ISOLATE" --store "$STORE" -z debian true
  fi
}

@test "a missing isolate-init is an error in one line with the places that were searched" {
  mkdir "$SCRATCH/bin"
  cp "$ISOLATE" "$SCRATCH/bin/"
  isolate_refuses isolate-init -- as_caller "$SCRATCH/bin/isolate" --store "$STORE" -z debian true
}

@test "isolate-init is also found in ../libexec/isolate" {
  mkdir -p "$SCRATCH/bin" "$SCRATCH/libexec/isolate"
  cp "$ISOLATE" "$SCRATCH/bin/"
  cp "$BINDIR/isolate-init" "$SCRATCH/libexec/isolate/"
  succeeds as_caller "$SCRATCH/bin/isolate" --store "$STORE" -q -z debian id -u
  expect_output 0
}

@test "user namespaces are switched off: isolate says so in one line" {
  # Control: the limit really switches them off.
  run with_kernel_limit max_user_namespaces 0 unshare --user true
  [[ $status == 1 ]] || complain "user namespaces are not off"
  isolate_refuses 'user namespace' -- with_kernel_limit max_user_namespaces 0 "$ISOLATE" --store "$STORE" -z debian true
  store_gets_clean
}

@test "a kind of namespace is switched off: isolate fails in one line, which tells a user that it is about namespaces" {
  local kind words=()
  # In that user namespace the kernel refuses root an id map, so root does not get as far.
  [[ $IDENTITY == root ]] || words=(namespace)
  for kind in mnt pid net uts ipc cgroup; do
    isolate_refuses "${words[@]}" -- with_kernel_limit "max_${kind}_namespaces" 0 "$ISOLATE" --store "$STORE" -z debian true
    store_gets_clean
  done
}

@test "if no more processes or files are allowed, isolate fails in one line, and the next run cleans up" {
  if [[ $IDENTITY == user ]]; then
    # The limit does not apply to root. Leak checking is off because it would need a process as well.
    isolate_refuses -- as_caller env "ASAN_OPTIONS=$ASAN_OPTIONS:detect_leaks=0" bash -c 'ulimit -u 1; exec "$@"' bash "$ISOLATE" --store "$STORE" -z debian true
  fi
  local limit
  for limit in 6 8 9 10 11 12 13 14; do
    isolate_refuses -- as_caller bash -c 'ulimit -n "$0"; exec "$@"' "$limit" "$ISOLATE" --store "$STORE" -z debian true
    expect_in_errors 'Too many open files'
  done
  succeeds in_clone true
  wait_until 2 store_is_clean "$STORE"
}

@test "isolate reports when it can't write its own output" {
  local status=0
  as_caller "$ISOLATE" --version >/dev/full 2>"$SCRATCH/err" || status=$?
  [[ $status == 125 ]]
}
