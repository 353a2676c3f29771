# Makes the guest's root: packages, users, and a systemd that at boot does only what tests need.
# shellcheck shell=bash
# shellcheck disable=SC2154 # here, root, suite, tarball, system_tarball come from build

packages_guest=(systemd-sysv dbus dbus-user-session libpam-systemd udev kmod procps iproute2 zfsutils-linux busybox-static
  bubblewrap lxc nftables uidmap libstdc++6 bats jq python3-minimal debootstrap mmdebstrap)

make_guest_root() {
  local packages
  packages=$(IFS=, && echo "${packages_guest[*]}")
  debian_root "$root" --variant=minbase --include="$packages" --dpkgopt='path-exclude=/usr/share/doc/*' \
    --dpkgopt='path-exclude=/usr/share/man/*' --dpkgopt='path-exclude=/usr/share/locale/*'
}

configure_guest() {
  echo vm >"$root/etc/hostname"
  printf '127.0.0.1 localhost vm\n::1 localhost\n' >"$root/etc/hosts"
  echo 0123456789abcdef0123456789abcdef >"$root/etc/machine-id"
  : >"$root/etc/fstab"
  : >"$root/etc/resolv.conf"
  # Limit the cache of ZFS, so that it leaves memory to the tests.
  echo 'options zfs zfs_arc_max=268435456' >"$root/etc/modprobe.d/zfs.conf"
  # uid 1000, with subordinate ids.
  chroot "$root" useradd --create-home --uid 1000 --shell /bin/bash tester
  printf 'root:100000:65536\ntester:200000:65536\n' | tee "$root/etc/subuid" >"$root/etc/subgid"
  install -m 0644 "$tarball" "$root/opt/debian.tar"
  install -m 0644 "$system_tarball" "$root/opt/system.tar"
  # Install packages completely in tests, with their man pages.
  echo force-unsafe-io >"$root/etc/dpkg/dpkg.cfg.d/99mmdebstrap"
  install -m 0755 "$here/agent" "$here/prepare" "$root/usr/local/sbin/"
  install -m 0644 "$here/agent.service" "$root/etc/systemd/system/"
  shorten_boot
  chroot "$root" systemctl --quiet enable agent.service
  # A test that needs the bridge starts it.
  chroot "$root" systemctl --quiet disable lxc.service lxc-net.service
  chroot "$root" systemctl set-default multi-user.target
}

shorten_boot() {
  local unit
  # Nothing was updated, so skip work on caches and databases at boot.
  touch "$root/etc/.updated" "$root/var/.updated"
  rm -rf "$root"/var/lib/apt/lists/* "$root"/var/cache/apt/*.bin "$root"/etc/systemd/system/getty.target.wants
  # No login on a console, no package jobs, and no wait for pools, because none exists before the agent makes it. Tests
  # that reboot the guest remove these links for ZFS.
  for unit in apt-daily.timer apt-daily-upgrade.timer dpkg-db-backup.timer fstrim.timer e2scrub_all.timer \
    serial-getty@ttyS0.service systemd-pstore.service systemd-udev-settle.service zfs-load-module.service \
    zfs-import-cache.service zfs-import-scan.service zfs-mount.service zfs-share.service zfs-volume-wait.service; do
    ln -sf /dev/null "$root/etc/systemd/system/$unit"
  done
}
