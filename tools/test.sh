#!/usr/bin/env bash
# test [--quick | --package]: checks everything that must hold before a change goes in. Ends at the first stage that
# fails. The last line is the sum of the numbers that all test runners have reported.
#
#   --quick     only the release build: unit tests, and system tests in the usual variants of each file
#   --package   the same with the programs as the Debian package has them, and the unit tests of the sanitizer build; for
#               continuous integration, which builds the package anyway
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
source tools/common.sh
source tools/packages.sh

passed=0
failed=0
skipped=0
stage=preparation
stage_began=0
closing_lines=()
tap_logs=()
lint=

begin() {
  stop_if_lint_failed
  stage=$1
  stage_began=$SECONDS
  say "$stage"
}

# close_stage TEXT: records a line about the stage for the end.
close_stage() { closing_lines+=("$stage, $((SECONDS - stage_began)) s${1:+: $1}"); }

# A build is a preset of CMakePresets.json, or "package".
compile() {
  begin "build ($1)"
  if [[ $1 == package ]]; then tools/package.sh --tests; else tools/build.sh --tests "$1"; fi
  close_stage ""
}

folder_of_build() {
  if [[ $1 == package ]]; then echo "build-package/isolate-clones/obj-$(gcc -dumpmachine)"; else build_folder "$1"; fi
}

# Prints a number from the JUnit file that ctest wrote. The first attribute of that name belongs to the whole suite.
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
  local build=$1 folder status=0
  folder=$(folder_of_build "$build")
  begin "unit tests ($build)"
  rm -f "$folder/unit-tests.xml"
  # Tests wait more than they compute.
  ctest --test-dir "$folder" --parallel "$((3 * $(nproc)))" --timeout 300 --output-on-failure --no-tests=error \
    --output-junit unit-tests.xml | tee "$folder/unit-tests.log" || status=$?
  [[ ! -e $folder/unit-tests.xml ]] || count_junit "$folder/unit-tests.xml"
  close_stage "$(grep 'tests passed' "$folder/unit-tests.log" || echo 'ctest did not finish')"
  return "$status"
}

# Counts the lines of a TAP log, and compares them with the plans ("1..N") in it, so that a runner that died early does
# not look like one with few tests. The runner's own last line, "N passed, N failed", may include other failures than
# tests: what they left behind, and reports of the sanitizers.
count_tap() {
  local file=$1 planned ok not_ok left_out closing reported
  planned=$(awk -F'[.][.]' '/^1[.][.][0-9]+/ { sum += $2 } END { print sum + 0 }' "$file")
  not_ok=$(grep -c '^not ok [0-9]' "$file" || true)
  left_out=$(grep -ciE '^ok [0-9].* # skip' "$file" || true)
  ok=$(($(grep -c '^ok [0-9]' "$file" || true) - left_out))
  closing=$(grep -E '^[0-9]+ passed, [0-9]+ failed$' "$file" | tail -n 1 || true)
  close_stage "${closing:-the runner did not finish} ($planned planned, $left_out skipped)"
  reported=${closing#* passed, }
  reported=${reported%% *}
  passed=$((passed + ok))
  failed=$((failed + (not_ok > ${reported:-0} ? not_ok : ${reported:-0})))
  skipped=$((skipped + left_out))
  ((planned > 0 && planned == ok + not_ok + left_out))
}

system_tests() {
  local build=$1 folder status=0
  folder=$(folder_of_build "$build")
  begin "system tests ($build)"
  tap_logs+=("$folder/system-tests.tap")
  tests/system/run "$folder/bin" </dev/null | tee "$folder/system-tests.tap" || status=$?
  count_tap "$folder/system-tests.tap" || { echo "not all planned tests were run" && status=1; }
  return "$status"
}

# Runs beside the other stages with a low priority, because these wait a lot. Its output is shown later.
start_lint() {
  mkdir -p build
  setsid tools/background.sh tools/lint.sh </dev/null >build/lint.log 2>&1 &
  lint=$!
}
end_lint() {
  begin "lint"
  [[ -z $lint ]] || wait_for_lint
  cat build/lint.log
  close_stage "clean, with what was waited for it"
}
# If lint fails, the whole run fails.
wait_for_lint() {
  local status=0
  wait "$lint" || status=$?
  lint=
  ((status != 0)) || return 0
  stage=lint
  cat build/lint.log
  exit "$status"
}
stop_if_lint_failed() {
  if [[ -n $lint ]] && ! kill -0 "$lint" 2>/dev/null; then wait_for_lint; fi
}

# Tests on the release that the other stages do not use.
first_steps() {
  local log=build/fresh.log closing status=0
  begin "first steps on a fresh machine ($1)"
  tools/fresh.sh "$1" </dev/null 2>&1 | tee "$log" || status=$?
  closing=$(tail -n 1 "$log" | grep -xE '[0-9]+ passed, [0-9]+ failed' || echo '0 passed, 1 failed')
  close_stage "$closing"
  passed=$((passed + ${closing%% *}))
  closing=${closing#* passed, }
  failed=$((failed + ${closing%% *}))
  return "$status"
}

# Prints the failed tests of a TAP log again at the end, with the beginning of their output.
tell_failures() {
  awk '/^(not )?ok [0-9]/ { left = /^not ok/ ? 25 : 0 }
       !/^#/ && !/^not ok/ { left = 0 }
       left-- > 0' "$1"
}

finish() {
  local status=$? line
  trap - EXIT
  [[ -z $lint ]] || kill -- "-$lint" 2>/dev/null || true
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
  local builds build mode=${1:-whole}
  case $#$mode in
    0whole) builds=(release asan) ;;
    1--quick) builds=(release) ;;
    1--package) builds=(package asan) ;;
    *) fail "usage: ./dev test [--quick | --package]" ;;
  esac
  need_root test
  trap finish EXIT
  trap 'exit 130' INT
  trap 'exit 143' TERM HUP
  install_packages build build_tests run test
  for build in "${builds[@]}"; do compile "$build"; done
  if [[ $mode == whole ]]; then
    begin "build (clang)"
    tools/build.sh clang
    close_stage "no warnings"
    install_packages lint
    start_lint
  fi
  for build in "${builds[@]}"; do unit_tests "$build"; done
  if [[ $mode != whole ]]; then
    system_tests "${builds[0]}"
    closing_lines+=("$mode left out: tests with the tag \"long\", system tests of the sanitizer build, the build with clang, lint, the first steps on a fresh machine")
    [[ $mode != --quick ]] || closing_lines+=("and the unit tests of the sanitizer build")
    return
  fi
  ISOLATE_TEST_LONG=1 ISOLATE_TEST_VARIANTS=whole system_tests release
  # Run the variants that the release build has not run, if a file has such.
  ISOLATE_FAULT_POINTS=1 ISOLATE_TEST_VARIANTS=other system_tests asan
  end_lint
  first_steps trixie
}

main "$@"
