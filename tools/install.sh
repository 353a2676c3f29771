#!/usr/bin/env bash
# install: builds the programs, and installs them, the man pages and the shell completion below /usr/local. It writes a list of
# everything that it has made, for ./dev uninstall. The systemd units are in the Debian package only.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
source tools/common.sh
source tools/packages.sh

manifest=$prefix/libexec/isolate/manifest

folders() { find "$prefix" -xdev -type d | sort; }

# Writes the list. A folder ends with a slash, and comes after everything in it, so that ./dev uninstall finds it empty.
write_manifest() {
  local before=$1
  {
    [[ ! -e $manifest ]] || cat "$manifest"
    cat build/install_manifest_programs.txt
    echo
    echo "$manifest"
    comm -13 "$before" <(folders) | sed 's|$|/|'
  } | sed '/^$/d' | sort --unique --reverse >"$manifest.new"
  mv "$manifest.new" "$manifest"
}

main() {
  local before
  (($# == 0)) || fail "usage: ./dev install"
  need_root install
  install_packages build run
  tools/build.sh release isolate isolate-init isolate-lxc isolate-wayland isolate-x11 isolate-zfs isolatectl isolated seccomp_wrapper
  trap hand_back_build_files EXIT
  before=$(mktemp)
  folders >"$before"
  cmake --install build --prefix "$prefix" --component programs >/dev/null
  write_manifest "$before"
  rm "$before"
  say "isolate is in $prefix/bin; \"sudo ./dev uninstall\" removes it"
}

main "$@"
