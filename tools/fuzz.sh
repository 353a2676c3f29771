#!/usr/bin/env bash
# fuzz [SECONDS] [TARGET...]: builds the fuzz targets (tests/fuzz) with clang++, and runs all of them, or the named ones, for
# 60 seconds each, or SECONDS. A target starts with its corpus in git and with what earlier runs have left in
# build-fuzz/fuzz/TARGET: inputs that reach new code, and findings. Earlier findings are tried in each run until they are
# fixed.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
source tools/common.sh
source tools/packages.sh

scratch=

targets() {
  local file
  for file in tests/fuzz/*.cc; do basename "$file" .cc; done
}

# Runs one target. Its temporary files (TMPDIR) are in memory and are removed after the run. The sanitizer reports leaks when
# the program ends.
run_target() {
  local target=$1 seconds=$2 folder=build-fuzz/fuzz/$1
  mkdir -p "$folder"/{inputs,findings}
  "build-fuzz/bin/fuzz-$target" -max_total_time="$seconds" -print_final_stats=1 -timeout=10 -rss_limit_mb=2048 \
    -artifact_prefix="$folder/findings/" "$folder/inputs" "tests/fuzz/corpus/$target" "$folder/findings" \
    </dev/null >"$folder/log" 2>&1 || return
}

# Runs as many targets at a time as there are processors. The exit status of each goes to a file.
run_targets() {
  local seconds=$1
  export -f run_target
  export TMPDIR=$scratch
  printf '%s\0' "${@:2}" | xargs -0 -P "$(nproc)" -I '{}' bash -c '
    status=0
    run_target "$1" "$2" || status=$?
    echo "$status" >"build-fuzz/fuzz/$1/status"' _ '{}' "$seconds"
}

# statistic TARGET NAME: prints a number from the statistics at the end of the log.
statistic() {
  sed -n "s/^stat::$2: *//p" "build-fuzz/fuzz/$1/log"
}

# Prints the last number of reached branches ("cov: N") in the log.
coverage() {
  grep -o '\bcov: [0-9]*' "build-fuzz/fuzz/$1/log" | tail -n 1 | tr -dc 0-9
}

finding() {
  local log=build-fuzz/fuzz/$1/log file
  grep -m 1 -aE '^PROPERTY: |: Assertion |runtime error: |^SUMMARY: |^==[0-9]+==ERROR: ' "$log" || tail -n 1 "$log"
  file=$(sed -n 's/.*Test unit written to //p' "$log")
  [[ -z $file ]] || echo "    to repeat it: build-fuzz/bin/fuzz-$1 $file"
}

# Prints a line about a target, and the finding if there is one. Returns false unless the target ran to its end without a
# finding.
report() {
  local target=$1 status runs findings=none
  status=$(cat "build-fuzz/fuzz/$target/status")
  runs=$(statistic "$target" number_of_executed_units)
  ((status == 0)) || findings=1
  printf '%-14s %10s runs, %7s a second, coverage %5s, findings: %s\n' "$target" "${runs:-0}" \
    "$(statistic "$target" average_exec_per_sec)" "$(coverage "$target" || true)" "$findings"
  ((status == 0 && ${runs:-0} > 0)) && return
  echo "    log: build-fuzz/fuzz/$target/log"
  echo "    $(finding "$target" | tr -d '\000-\010\013-\037\177')"
  return 1
}

check_targets() {
  local target
  for target in "$@"; do
    [[ -e tests/fuzz/$target.cc ]] || fail "there is no fuzz target '$target'; the targets are: $(targets | tr '\n' ' ')"
  done
}

finish() {
  [[ -z $scratch ]] || rm -rf "$scratch"
  hand_back_build_files
}

main() {
  local seconds=60 wanted=() target failed=()
  if [[ ${1:-} =~ ^[1-9][0-9]*$ ]]; then
    seconds=$1
    shift
  fi
  (($# == 0)) || check_targets "$@"
  mapfile -t wanted < <(if (($# > 0)); then printf '%s\n' "$@"; else targets; fi)
  install_packages build fuzz
  trap finish EXIT
  tools/build.sh fuzz fuzzers
  scratch=$(mktemp -d /dev/shm/isolate-fuzz.XXXXXX)
  say "fuzzing ${#wanted[@]} targets for $seconds seconds each"
  run_targets "$seconds" "${wanted[@]}"
  for target in "${wanted[@]}"; do report "$target" || failed+=("$target"); done
  ((${#failed[@]} == 0)) || fail "fuzz: findings in ${failed[*]}"
  say "fuzz: no findings"
}

main "$@"
