#!/usr/bin/env bash
# uninstall: removes what ./dev install has put below /usr/local. Templates and clones stay.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
source tools/common.sh

main() {
  local manifest=$prefix/libexec/isolate/manifest paths path
  (($# == 0)) || fail "usage: ./dev uninstall"
  need_root uninstall
  [[ -e $manifest ]] || fail "there is no $manifest: ./dev install has put nothing there"
  mapfile -t paths <"$manifest"
  for path in "${paths[@]}"; do
    case $path in
      *..*) fail "$manifest names $path, which ./dev install never writes there" ;;
      "$prefix"/*/) rmdir --ignore-fail-on-non-empty "$path" ;;
      "$prefix"/*) rm -f "$path" ;;
      *) fail "$manifest names $path, which ./dev install never writes there" ;;
    esac
  done
  say "isolate is no more in $prefix; templates stay where they are, in /var/lib/isolate and in users' own stores"
}

main "$@"
