#!/usr/bin/env bash
# uninstall: removes everything that ./dev install has installed below /usr/local. Templates and clones stay.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
source tools/common.sh

main() {
  local manifest=$prefix/libexec/isolate/manifest paths path
  (($# == 0)) || fail "usage: ./dev uninstall"
  need_root uninstall
  [[ -e $manifest ]] || fail "nothing to uninstall: $manifest, which ./dev install writes, does not exist"
  mapfile -t paths <"$manifest"
  for path in "${paths[@]}"; do
    case $path in
      *..*) fail "$manifest contains $path, which ./dev install never writes there; nothing more was removed" ;;
      "$prefix"/*/) rmdir --ignore-fail-on-non-empty "$path" ;;
      "$prefix"/*) rm -f "$path" ;;
      *) fail "$manifest contains $path, which ./dev install never writes there; nothing more was removed" ;;
    esac
  done
  say "removed isolate from $prefix; templates stay in /var/lib/isolate and in users' own stores"
}

main "$@"
