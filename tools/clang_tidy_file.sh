#!/usr/bin/env bash
# clang_tidy_file.sh FILE STAMPS: runs clang-tidy on one source file, which must be in build/compile_commands.json. If the
# file was clean before, it is skipped until the file, a header that it includes, its compiler command or the settings
# change. The folder STAMPS remembers that. It serves all checkouts, so paths in the key are relative to the checkout.
set -euo pipefail

file=$1
stamps=$2

# Prints the file's compiler command without " -o OBJECT -c".
compiler_command() {
  local command
  command=$(jq -r --arg file "$PWD/$file" 'first(.[] | select(.file == $file)).command' build/compile_commands.json)
  echo "${command/ -o * -c / }"
}

# Prints the file and all files that it includes. The compiler's option -M prints them as a rule for make; this removes
# the rule's target and the backslashes at the ends of lines.
inputs() {
  (cd build && sh -c "$1 -M") | sed -e 's/^[^ ]*: *//' -e 's/\\$//'
}

# Prints a key for the file with these options.
cache_key() {
  local command files
  command=$(compiler_command)
  files=$(inputs "$command") || return
  # shellcheck disable=SC2086 # a list of paths without blanks
  { clang-tidy --version && cat .clang-tidy tools/clang_tidy_file.sh && echo "$command $*" && sha256sum $files; } |
    sed "s|$PWD/||g" | sha256sum | cut -d ' ' -f 1
}

main() {
  local stamp report options=(--quiet -p build)
  options+=(--extra-arg=-Wno-unknown-warning-option --extra-arg=-Wno-unused-command-line-argument)
  # The static analyzer takes most of the time. It is not needed for tests, because they run under sanitizers anyway.
  [[ $file != *_test.cc && ${NO_ANALYZER:-false} == false ]] || options+=(--checks=-clang-analyzer-*)
  if ! stamp=$stamps/$(cache_key "${options[@]}"); then
    echo "$file: the compiler could not preprocess it; build it to see the reason" >&2
    return 1
  fi
  if [[ ! -e $stamp ]] && ! report=$(clang-tidy "${options[@]}" "$file" 2>&1); then
    printf '%s\n' "$report"
    return 1
  fi
  touch "$stamp"
}

main
