#!/usr/bin/env bash
# test [--quick]: everything that has to hold before a change goes in. Ends at the first stage that fails. The last line
# is the sum over all test runners; each number is what a runner reported, none is assumed.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
source tools/common.sh
source tools/packages.sh

passed=0
failed=0
skipped=0
stage=preparation
closing_lines=()
tap_logs=()

begin() {
  stage=$1
  say "$stage"
}

# A number out of the JUnit file that ctest wrote: the first attribute of that name is the one of the whole suite.
junit_number() {
  grep -o "\b$2=\"[0-9]*\"" "$1" | head -n 1 | tr -dc 0-9
}

count_junit() {
  local file=$1 tests failures left_out
  tests=$(junit_number "$file" tests)
  failures=$(junit_number "$file" failures)
  left_out=$(($(junit_number "$file" skipped) + $(junit_number "$file" disabled)))
  passed=$((passed + tests - failures - left_out))
  failed=$((failed + failures))
  skipped=$((skipped + left_out))
}

unit_tests() {
  local preset=$1 folder status=0
  folder=$(build_folder "$preset")
  begin "unit tests ($preset)"
  rm -f "$folder/unit-tests.xml"
  ctest --test-dir "$folder" --parallel "$(nproc)" --timeout 300 --output-on-failure --no-tests=error \
    --output-junit unit-tests.xml | tee "$folder/unit-tests.log" || status=$?
  [[ ! -e $folder/unit-tests.xml ]] || count_junit "$folder/unit-tests.xml"
  closing_lines+=("$stage: $(grep 'tests passed' "$folder/unit-tests.log" || echo 'ctest did not finish')")
  return "$status"
}

# Counts the lines of a TAP log, and compares them with the plans ("1..N") in it, so that a runner that died in the
# middle is not taken for one that had little to do. The runner's own closing line, "N passed, N failed", may know of
# failures beside the tests: what they left behind, reports of the sanitizers.
count_tap() {
  local file=$1 planned ok not_ok left_out closing reported
  planned=$(awk -F'[.][.]' '/^1[.][.][0-9]+/ { sum += $2 } END { print sum + 0 }' "$file")
  not_ok=$(grep -c '^not ok [0-9]' "$file" || true)
  left_out=$(grep -ciE '^ok [0-9].* # skip' "$file" || true)
  ok=$(($(grep -c '^ok [0-9]' "$file" || true) - left_out))
  closing=$(grep -E '^[0-9]+ passed, [0-9]+ failed$' "$file" | tail -n 1 || true)
  closing_lines+=("$stage: ${closing:-the runner did not finish} ($planned planned, $left_out skipped)")
  reported=${closing#* passed, }
  reported=${reported%% *}
  passed=$((passed + ok))
  failed=$((failed + (not_ok > ${reported:-0} ? not_ok : ${reported:-0})))
  skipped=$((skipped + left_out))
  ((planned > 0 && planned == ok + not_ok + left_out))
}

system_tests() {
  local preset=$1 folder status=0
  folder=$(build_folder "$preset")
  begin "system tests ($preset)"
  tap_logs+=("$folder/system-tests.tap")
  tests/system/run "$folder/bin" </dev/null | tee "$folder/system-tests.tap" || status=$?
  count_tap "$folder/system-tests.tap" || { echo "not all planned tests were run" && status=1; }
  return "$status"
}

# The release that the other stages do not run on.
first_steps() {
  local log=build/fresh.log closing status=0
  begin "first steps on a fresh machine ($1)"
  tools/fresh.sh "$1" </dev/null 2>&1 | tee "$log" || status=$?
  closing=$(tail -n 1 "$log" | grep -xE '[0-9]+ passed, [0-9]+ failed' || echo '0 passed, 1 failed')
  closing_lines+=("$stage: $closing")
  passed=$((passed + ${closing%% *}))
  closing=${closing#* passed, }
  failed=$((failed + ${closing%% *}))
  return "$status"
}

# The failed tests of a TAP log once more, where one looks first: with the beginning of what they said.
tell_failures() {
  awk '/^(not )?ok [0-9]/ { left = /^not ok/ ? 25 : 0 }
       !/^#/ && !/^not ok/ { left = 0 }
       left-- > 0' "$1"
}

finish() {
  local status=$? line
  trap - EXIT
  hand_back_build_files
  if ((failed > 0)); then
    say "failed"
    for line in "${tap_logs[@]}"; do tell_failures "$line"; done
  fi
  say "closing lines"
  for line in "${closing_lines[@]}"; do printf '    %s\n' "$line"; done
  ((skipped == 0)) || printf '    skipped in all: %s\n' "$skipped"
  line="$passed passed, $failed failed"
  ((status == 0)) || line+=", stopped at: $stage"
  printf '%s\n' "$line"
  exit "$status"
}

main() {
  local presets=(release asan) preset quick=false
  if [[ ${1:-} == --quick ]]; then
    quick=true
    presets=(release)
    shift
  fi
  (($# == 0)) || fail "usage: ./dev test [--quick]"
  need_root test
  trap finish EXIT
  install_packages build build_tests run test
  $quick || install_packages lint
  for preset in "${presets[@]}"; do
    stage="build ($preset)"
    tools/build.sh --tests "$preset"
  done
  for preset in "${presets[@]}"; do unit_tests "$preset"; done
  system_tests release
  if $quick; then
    closing_lines+=("--quick: the sanitizer build, its tests, clang, lint and the first steps on a fresh machine were left out")
    return
  fi
  ISOLATE_FAULT_POINTS=1 system_tests asan
  begin "build (clang)"
  tools/build.sh clang
  closing_lines+=("$stage: no warnings")
  begin lint
  tools/lint.sh
  closing_lines+=("lint: clean")
  first_steps trixie
}

main "$@"
