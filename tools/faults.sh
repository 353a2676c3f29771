#!/usr/bin/env bash
# faults [ROUNDS [SEED]]: rounds in which something dies at a fault point or at a random moment; see
# tests/system/daemon_fault_points.bats. A fault found fails it.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
source tools/common.sh
source tools/packages.sh

main() {
  local rounds=${1:-200} seed=${2:-}
  [[ $rounds =~ ^[1-9][0-9]*$ && $seed =~ ^[0-9]*$ && $# -le 2 ]] || fail "usage: ./dev faults [ROUNDS [SEED]]"
  need_root faults
  install_packages build run test
  tools/build.sh faults isolate isolatectl isolated isolate-init seccomp_wrapper
  say "$rounds rounds"
  trap hand_back_build_files EXIT
  ISOLATE_FAULT_POINTS=1 ISOLATE_CRASH_ROUNDS=$rounds ISOLATE_CRASH_SEED=$seed BATS_TEST_TIMEOUT=$((rounds * 60)) \
    ISOLATE_TEST_IDENTITIES=root tests/system/run build-faults/bin tests/system/daemon_fault_points.bats
}

main "$@"
