# Makes what the emulator starts from: a kernel, an initrd that mounts the root disk, and the disks.
# shellcheck shell=bash
# shellcheck disable=SC2154 # work, root, image, kernel come from build

make_disks() {
  cp "$work/kernel/boot/vmlinuz-$kernel" "$image/vmlinuz"
  make_initrd
  truncate --size 4G "$image/root.img"
  mke2fs -q -t ext4 -E lazy_itable_init=1 -m 0 -d "$root" "$image/root.img"
  truncate --size 4G "$image/pool.img"
}

# The kernel has no built-in driver for virtio disks. It has one for NVMe, but QEMU can't freeze such a disk.
make_initrd() {
  local initrd=$root/mnt/initrd module
  mkdir -p "$initrd"/{bin,dev,root}
  cp "$root/usr/bin/busybox" "$initrd/bin/" 2>/dev/null || cp "$root/bin/busybox" "$initrd/bin/"
  {
    echo '#!/bin/busybox sh'
    echo '/bin/busybox mount -t devtmpfs dev /dev'
    while read -r module; do
      cp "$root/$module" "$initrd/"
      echo "/bin/busybox insmod /${module##*/}"
    done < <(modules_of_root_disk)
    cat <<'SH'
/bin/busybox mount -t ext4 -o noatime /dev/vda /root || /bin/busybox reboot -f
/bin/busybox umount /dev
exec /bin/busybox switch_root /root /sbin/init
SH
  } >"$initrd/init"
  chmod 0755 "$initrd/init"
  chroot "$root" sh -c 'cd /mnt/initrd && find . | busybox cpio -o -H newc' >"$image/initrd"
  rm -rf "$initrd"
}

# Prints the modules in the order in which they have to be loaded, without those that are built in.
modules_of_root_disk() {
  local module
  for module in virtio_pci virtio_blk ext4; do
    chroot "$root" modprobe --set-version "$kernel" --show-depends "$module"
  done | awk '/^insmod/ && !seen[$2]++ { print $2 }'
}
