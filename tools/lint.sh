#!/usr/bin/env bash
# lint [--fix]: all that can be judged without running the programs. Runs every check, also after one has failed.
# --fix formats the sources in place beforehand.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
source tools/common.sh
source tools/packages.sh

# The files below src, bench and tests with one of these endings, each followed by a NUL.
sources() {
  local ending names=()
  for ending in "$@"; do names+=(-o -name "*.$ending"); done
  find src bench tests -type f \( "${names[@]:1}" \) -print0 | sort -z
}

check_layers() {
  tools/check_layers.sh
}

check_format() {
  sources h cc | xargs -0 clang-format --dry-run -Werror && return
  echo 'formatting can be put right with: ./dev lint --fix' >&2
  return 1
}

# Shell scripts by name or by their first line.
shell_scripts() {
  local file
  printf '%s\0' dev .ci/run
  find tools bench tests data debian -type f -print0 | sort -z | while IFS= read -r -d '' file; do
    case $file in
      *.bats) continue ;;
      *.sh | *.bash) ;;
      *) head -c 64 "$file" | head -n 1 | grep -aqE '^#!.*[/ ](ba|da)?sh( |$)' || continue ;;
    esac
    printf '%s\0' "$file"
  done
}

# Left out: SC2016, as text for the shell inside is what single quotes are for here; SC2317, which takes functions that a
# trap calls for dead. In bats files also mere hints, SC2154 ($stderr of "run --separate-stderr" is unknown to shellcheck)
# and SC1010 ("done" as a word).
check_shell() {
  local status=0 options=(--external-sources --source-path=. "--exclude=SC2016,SC2317")
  shell_scripts | xargs -0 shellcheck "${options[@]}" || status=1
  sources bats | xargs -0 --no-run-if-empty \
    shellcheck "${options[@]}" --shell=bats --severity=warning --exclude=SC2154,SC1010 || status=1
  return "$status"
}

check_man_pages() {
  # EXAMPLES stands near the top, where a reader looks first; mandoc wants it further down.
  local complaints
  complaints=$(mandoc -T lint -W warning data/man/*.[1-8] 2>&1 | grep -v 'sections out of conventional order' || true)
  [[ -z $complaints ]] || fail "$complaints"
}

# Every source must be known to the build, or nobody would compile it, let alone check it.
files_to_tidy() {
  local listed file status=0
  listed=$(jq -r '.[].file' build/compile_commands.json | sort -u)
  while IFS= read -r -d '' file; do
    if grep -qxF "$PWD/$file" <<<"$listed"; then
      printf '%s\0' "$file"
    else
      echo "$file: not part of the build" >&2
      status=1
    fi
  done < <(find src bench -type f -name '*.cc' -print0 | sort -z)
  return "$status"
}

check_tidy() {
  mkdir -p build/clang-tidy
  find build/clang-tidy -type f -mtime +30 -delete
  files_to_tidy | xargs -0 -n 1 -P "$(nproc)" tools/clang_tidy_file.sh
}

main() {
  local check failures=()
  [[ $# == 0 || $* == --fix ]] || fail "usage: ./dev lint [--fix]"
  install_packages build build_tests lint
  (($# == 0)) || sources h cc | xargs -0 clang-format -i
  trap hand_back_build_files EXIT
  configure_preset release -DISOLATE_BUILD_TESTS=ON
  for check in layers format shell man_pages tidy; do
    say "lint: ${check//_/ }"
    "check_$check" || failures+=("$check")
  done
  ((${#failures[@]} == 0)) || fail "lint: ${failures[*]//_/ }"
  say "lint: clean"
}

main "$@"
