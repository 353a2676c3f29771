#!/usr/bin/env bash
# Runs clang-tidy on one source that build/compile_commands.json knows. A file that was clean is left out until itself,
# one of the headers it includes, its compiler command or the settings change.
set -euo pipefail

file=$1

# The compiler command of the file without " -o OBJECT -c".
compiler_command() {
  local command
  command=$(jq -r --arg file "$PWD/$file" 'first(.[] | select(.file == $file)).command' build/compile_commands.json)
  echo "${command/ -o * -c / }"
}

# The file and all it includes, as the compiler sees them, without the rule's target and line ends.
inputs() {
  (cd build && sh -c "$1 -M") | sed -e 's/^[^ ]*: *//' -e 's/\\$//'
}

cache_key() {
  local command files
  command=$(compiler_command)
  files=$(inputs "$command") || return
  # shellcheck disable=SC2086 # a list of paths without blanks
  { clang-tidy --version && cat .clang-tidy tools/clang_tidy_file.sh && echo "$command" && sha256sum $files; } | sha256sum | cut -d ' ' -f 1
}

main() {
  local stamp report options=(--quiet -p build)
  options+=(--extra-arg=-Wno-unknown-warning-option --extra-arg=-Wno-unused-command-line-argument)
  # The analyzer follows the paths of a program, which takes most of the time. Of a test all of them are run, with sanitizers.
  [[ $file != *_test.cc ]] || options+=(--checks=-clang-analyzer-*)
  if ! stamp=build/clang-tidy/$(cache_key); then
    echo "$file: does not compile" >&2
    return 1
  fi
  if [[ ! -e $stamp ]] && ! report=$(clang-tidy "${options[@]}" "$file" 2>&1); then
    printf '%s\n' "$report"
    return 1
  fi
  touch "$stamp"
}

main
