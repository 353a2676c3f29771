#!/usr/bin/env bash
# bench [--daemon | --lxc | --desktop | --zfs] [ARGUMENT...]: builds the release preset and runs the benchmarks (bench/README.md).
# --daemon measures isolated and its pools, --lxc compares the lxc engine with LXC's own programs, --desktop measures what
# a window and sound cost, --zfs measures the store on OpenZFS, in the guest of "vm".
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
source tools/common.sh
source tools/packages.sh
source tools/tarballs.sh

need_root bench
case ${1:-}${2:+=$2} in
  --zfs | --zfs=--quick) exec tools/vm.sh "--bench${2:+=$2}" ;;
esac
install_packages build build_tests run test
tools/build.sh --tests release
say "measuring"
scratch=$(mktemp -d /var/tmp/isolate-bench.XXXXXX)
trap 'rm -rf --one-file-system "$scratch"; hand_back_build_files' EXIT
make_tarballs "$scratch"
case ${1:-} in
  --daemon | --lxc | --desktop) "bench/${1#--}" build/bin "${@:2}" ;;
  *) bench/run build/bin "$@" ;;
esac
