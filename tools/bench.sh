#!/usr/bin/env bash
# bench [--daemon] [ARGUMENT...]: builds the release preset and measures it; --daemon: isolated and its pools.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
source tools/common.sh
source tools/packages.sh

need_root bench
install_packages build run test
tools/build.sh release
say "measuring"
trap hand_back_build_files EXIT
if [[ ${1:-} == --daemon ]]; then
  bench/daemon build/bin "${@:2}"
else
  bench/run build/bin "$@"
fi
