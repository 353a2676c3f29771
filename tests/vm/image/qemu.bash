# Provides the emulator: the machine's own, or the one of Debian's backports.
# shellcheck shell=bash
# shellcheck disable=SC2154 # work and image come from build

# Before 8.1 one processor could run code that another one was patching, and the guest crashed now and then (QEMU commit
# deba78709ae8). From 8.2 on QEMU can freeze into a file.
get_emulator() {
  local version
  version=$(qemu-system-x86_64 --version | sed -n '1s/.*version \([0-9.]*\).*/\1/p')
  if [[ $(printf '%s\n' 8.2 "$version" | sort --version-sort | head -n 1) == 8.2 ]]; then
    printf '#!/bin/sh\nexec qemu-system-x86_64 "$@"\n' >"$image/qemu"
  else
    get_backport
  fi
  chmod 0755 "$image/qemu"
  "$image/qemu" --version
}

# The backport uses the libraries of the machine's own qemu-system-x86.
get_backport() {
  make_apt backports bookworm-backports
  unpack_packages backports "$image/qemu-files" qemu-system-x86 qemu-system-common qemu-system-data seabios
  cat >"$image/qemu" <<'SH'
#!/bin/sh
files=$(dirname "$(readlink -f "$0")")/qemu-files
LD_LIBRARY_PATH=$files/usr/lib/x86_64-linux-gnu exec "$files/usr/bin/qemu-system-x86_64" \
  -L "$files/usr/share/qemu" -L "$files/usr/share/seabios" "$@"
SH
}
