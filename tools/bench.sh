#!/usr/bin/env bash
# bench [--daemon | --warm | --lxc | --desktop | --compare | --zfs] [ARGUMENT...]: builds the release preset and runs the benchmarks
# (bench/README.md). --daemon measures isolated and its pools, --warm measures guests that are kept ready, --lxc compares the lxc
# engine with LXC's own programs, --desktop measures what a window and sound cost, --compare installs other programs that run a
# command in a root and compares isolate with them, --zfs measures the store on OpenZFS, in the guest of "vm".
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
[[ ${1:-} != --compare ]] || install_packages compare
tools/build.sh --tests release
say "measuring"
scratch=$(mktemp -d /var/tmp/isolate-bench.XXXXXX)
trap 'rm -rf --one-file-system "$scratch"; hand_back_build_files' EXIT
make_tarballs "$scratch"
case ${1:-} in
  --daemon | --warm | --lxc | --desktop | --compare) "bench/${1#--}" build/bin "${@:2}" ;;
  *) bench/run build/bin "$@" ;;
esac
