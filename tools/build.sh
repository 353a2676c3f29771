#!/usr/bin/env bash
# build [--tests] [PRESET [TARGET...]]: configures and builds a preset of CMakePresets.json, or only some of its targets.
# --tests also builds the unit tests and, in a release build, the benchmarks. A build folder that was once configured with
# --tests keeps building them.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
source tools/common.sh
source tools/packages.sh

main() {
  local preset folder lock targets options=() purposes=(build)
  if [[ ${1:-} == --tests ]]; then
    options+=(-DISOLATE_BUILD_TESTS=ON)
    purposes+=(build_tests)
    shift
  fi
  preset=${1:-release}
  folder=$(build_folder "$preset")
  [[ $preset != clang ]] || purposes+=(build_clang)
  install_packages "${purposes[@]}"
  say "building preset $preset"
  trap hand_back_build_files EXIT
  mkdir -p "$folder"
  exec {lock}<"$folder"
  flock --nonblock "$lock" || { say "waiting for another build in $folder" && flock "$lock"; }
  configure_preset "$preset" "${options[@]}"
  targets=("${@:2}")
  cmake --build "$folder" --parallel "$(nproc)" ${targets[0]:+--target "${targets[@]}"}
  say "programs are in $folder/bin"
}

main "$@"
