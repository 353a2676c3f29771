#!/usr/bin/env bash
# faults [--store=overlay|btrfs|zfs] [ROUNDS [SEED]]: runs 200 (or ROUNDS) rounds, in each of which a program is killed at a
# fault point or at a random moment, and fails if the state afterwards is wrong. See tests/system/daemon_fault_points.bats.
# With zfs the rounds run in a virtual machine, see tests/vm/daemon_crash.bats.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
source tools/common.sh
source tools/packages.sh

main() {
  local store=overlay rounds seed
  case ${1:-} in
    --store=overlay | --store=btrfs | --store=zfs)
      store=${1#*=}
      shift
      ;;
  esac
  rounds=${1:-200} seed=${2:-}
  [[ $rounds =~ ^[1-9][0-9]*$ && $seed =~ ^[0-9]*$ && $# -le 2 ]] ||
    fail "usage: ./dev faults [--store=overlay|btrfs|zfs] [ROUNDS [SEED]]"
  need_root faults
  if [[ $store == zfs ]]; then
    exec env "ISOLATE_CRASH_ROUNDS=$rounds" "ISOLATE_CRASH_SEED=$seed" tools/vm.sh tests/vm/daemon_crash.bats
  fi
  install_packages build run test
  tools/build.sh faults isolate isolatectl isolated isolate-init isolate-lxc isolate-wayland isolate-x11 isolate-zfs seccomp_wrapper
  say "$rounds rounds, $store"
  trap hand_back_build_files EXIT
  ISOLATE_FAULT_POINTS=1 ISOLATE_CRASH_STORES=$store ISOLATE_CRASH_ROUNDS=$rounds ISOLATE_CRASH_SEED=$seed \
    BATS_TEST_TIMEOUT=$((rounds * 60)) ISOLATE_TEST_IDENTITIES=root tests/system/run build-faults/bin tests/system/daemon_fault_points.bats
}

main "$@"
