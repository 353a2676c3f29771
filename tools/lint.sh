#!/usr/bin/env bash
# lint [--fix] [--quick | --no-analyzer] [--seconds=N]: runs all checks of the sources that do not need to run the programs. It
# goes on after a check has failed. --fix formats the sources first. --no-analyzer leaves out the static analyzer of clang-tidy,
# which takes two thirds of the time for files that were not checked before. --quick leaves out clang-tidy, and takes seconds.
# --seconds=N: after N seconds clang-tidy begins no further file (0: no limit). It begins with those that the latest commits changed.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
source tools/common.sh
source tools/packages.sh

usage() { fail "usage: ./dev lint [--fix] [--quick | --no-analyzer] [--seconds=N]"; }

# sources ENDING...: prints the files below src, bench and tests with these endings, each followed by a NUL.
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
  echo 'to format the sources: ./dev lint --fix' >&2
  return 1
}

# Prints the shell scripts, which are recognized by their name or their first line, each followed by a NUL.
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

# Excluded everywhere: SC2016, because single quotes are used on purpose for text that a shell in the guest expands; SC2317,
# which reports functions that a trap calls as unreachable. Excluded in bats files: hints below the level of warnings; SC2154,
# because shellcheck does not know the $stderr of "run --separate-stderr"; SC1010, "done" as a word.
check_shell() {
  local status=0 options=(--external-sources --source-path=. "--exclude=SC2016,SC2317")
  shell_scripts | xargs -0 shellcheck "${options[@]}" || status=1
  sources bats | xargs -0 --no-run-if-empty \
    shellcheck "${options[@]}" --shell=bats --severity=warning --exclude=SC2154,SC1010 || status=1
  return "$status"
}

check_man_pages() {
  # The section EXAMPLES is near the top, because readers look for it first. mandoc wants it further down, so ignore that.
  local complaints
  complaints=$(mandoc -T lint -W warning data/man/*.[1-8] 2>&1 | grep -v 'sections out of conventional order' || true)
  [[ -z $complaints ]] || fail "$complaints"
}

# Removes GCC's precompiled headers, which clang-tidy can't read, from the compiler commands.
prepare_commands() {
  local file=build/compile_commands.json
  jq 'map(.command |= sub(" -Winvalid-pch -include [^ ]*"; ""))' "$file" >"$file.new"
  mv "$file.new" "$file"
}

# Prints the sources to check, one on each line. Fails if the build does not use one of them, because clang-tidy could not
# check it.
files_to_tidy() {
  local listed file status=0
  listed=$(jq -r '.[].file' build/compile_commands.json | sort -u)
  while IFS= read -r file; do
    if grep -qxF "$PWD/$file" <<<"$listed"; then
      echo "$file"
    else
      echo "$file: not part of the build; add it to CMakeLists.txt or remove it" >&2
      status=1
    fi
  done < <(find src bench -type f -name '*.cc' | latest_first)
  return "$status"
}

# Sorts paths by the commits that changed them last. Uncommitted ones come first.
latest_first() {
  awk 'FILENAME == "-" { name[++count] = $0; next }
       !($0 in rank) { rank[$0] = ++ranks }
       END { for (i = 1; i <= count; i++) print rank[name[i]] + 0, name[i] }' - \
    <(git log --format= --name-only -- src bench 2>/dev/null || true) | sort -n -k1,1 -k2 | cut -d ' ' -f 2
}

check_tidy() {
  local stamps=${XDG_CACHE_HOME:-$HOME/.cache}/isolate/clang-tidy left_out deadline status=0
  mkdir -p "$stamps"
  find "$stamps" -type f -mtime +30 -delete
  ! $no_analyzer || echo "left out: the static analyzer of clang-tidy (clang-analyzer-*), on all files"
  left_out=$(mktemp)
  export stamps left_out NO_ANALYZER=$no_analyzer deadline=$((seconds ? $(date +%s) + seconds : 0))
  export -f tidy_file
  files_to_tidy | xargs -I '{}' -P "$(nproc)" bash -c 'tidy_file "$1"' - '{}' || status=1
  [[ ! -s $left_out ]] || echo "left out: clang-tidy, on $(wc -l <"$left_out") of $(files_to_tidy | wc -l) files, those that changed longest ago"
  rm "$left_out"
  return "$status"
}

# This is a function for xargs. It gets its settings from the environment.
tidy_file() {
  if ((deadline > 0 && $(date +%s) >= deadline)); then
    echo "$1" >>"$left_out"
  else
    tools/clang_tidy_file.sh "$1" "$stamps"
  fi
}

main() {
  local check checks=(layers format shell man_pages) failures=() fix=false quick=false no_analyzer=false seconds=0
  while (($# > 0)); do
    case $1 in
      --fix) fix=true ;;
      --quick) quick=true ;;
      --no-analyzer) no_analyzer=true ;;
      --seconds=*) seconds=${1#*=} ;;
      *) usage ;;
    esac
    shift
  done
  [[ $seconds =~ ^(0|[1-9][0-9]*)$ ]] || usage
  install_packages build build_tests lint
  ! $fix || sources h cc | xargs -0 clang-format -i
  trap hand_back_build_files EXIT
  if $quick; then
    echo "left out: clang-tidy"
  else
    tools/build.sh --tests release builtin-filters # some sources include this generated header
    prepare_commands
    checks+=(tidy)
  fi
  for check in "${checks[@]}"; do
    say "lint: ${check//_/ }"
    "check_$check" || failures+=("$check")
  done
  ((${#failures[@]} == 0)) || fail "lint: ${failures[*]//_/ }"
  say "lint: clean"
}

main "$@"
