#!/usr/bin/env bash
# build [PRESET]: configures and builds one of the presets of CMakePresets.json.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
source tools/common.sh
source tools/packages.sh

main() {
  local preset=${1:-release} folder lock
  (($# <= 1)) || fail "usage: ./dev build [PRESET]"
  folder=$(build_folder "$preset")
  install_packages build
  say "building preset $preset"
  trap hand_back_build_files EXIT
  mkdir -p "$folder"
  exec {lock}<"$folder"
  flock --nonblock "$lock" || { say "waiting for another build in $folder" && flock "$lock"; }
  configure_preset "$preset"
  cmake --build "$folder" --parallel "$(nproc)"
  say "programs are in $folder/bin"
}

main "$@"
