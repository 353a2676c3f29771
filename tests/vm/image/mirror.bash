# Makes a mirror of the few packages of Debian 12 that debootstrap and mmdebstrap need, below /opt/mirror in the guest,
# which has no network.
# shellcheck shell=bash
# shellcheck disable=SC2154 # work, root, tarball come from build

make_mirror() {
  local mirror=$root/opt/mirror pool dist packages
  dist=$mirror/dists/bookworm
  pool=$mirror/pool/main
  mkdir -p "$pool" "$dist/main/binary-amd64"
  make_apt mirror bookworm
  # debootstrap and mmdebstrap would choose the packages that the tarball contains.
  mapfile -t packages < <(tar --extract --to-stdout --file "$tarball" ./var/lib/dpkg/status | sed -n 's/^Package: //p')
  ((${#packages[@]} > 50)) || die "the tarball does not say what it is made of"
  # Packages that only debootstrap needs, and one that a test installs in a template.
  (cd "$pool" && apt_in mirror apt-get -q download "${packages[@]}" usr-is-merged busybox-static)
  (cd "$mirror" && dpkg-scanpackages --multiversion pool/main /dev/null >"$dist/main/binary-amd64/Packages")
  write_release >"$dist/Release"
}

# There is no signature, so users of the mirror must mark it as trusted.
write_release() {
  local index=main/binary-amd64/Packages
  cat <<TEXT
Origin: Debian
Label: Debian
Suite: stable
Codename: bookworm
Date: $(date --utc --rfc-email)
Architectures: amd64
Components: main
SHA256:
 $(sha256sum <"$dist/$index" | cut -d ' ' -f 1) $(stat -c %s "$dist/$index") $index
TEXT
}
