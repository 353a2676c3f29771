#!/usr/bin/env bash
# bench [ARGUMENT...]: builds the release preset and measures it.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
source tools/common.sh
source tools/packages.sh

need_root bench
install_packages build run test
tools/build.sh release
say "measuring"
trap hand_back_build_files EXIT
bench/run build/bin "$@"
