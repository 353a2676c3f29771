#!/usr/bin/env bash
# build [PRESET [TARGET...]]: configures and builds one of the presets of CMakePresets.json, or only some of its targets.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
source tools/common.sh
source tools/packages.sh

main() {
  local preset=${1:-release} folder lock targets
  folder=$(build_folder "$preset")
  install_packages build
  say "building preset $preset"
  trap hand_back_build_files EXIT
  mkdir -p "$folder"
  exec {lock}<"$folder"
  flock --nonblock "$lock" || { say "waiting for another build in $folder" && flock "$lock"; }
  configure_preset "$preset"
  targets=("${@:2}")
  cmake --build "$folder" --parallel "$(nproc)" ${targets[0]:+--target "${targets[@]}"}
  say "programs are in $folder/bin"
}

main "$@"
