#!/usr/bin/env bash
# Checks two rules of the source tree: a folder below src/ includes only from the folders that the table in src/README.md
# allows, and no file there has more than 400 lines. The table must name every folder, so that the author of a new
# one decides what it may use.
set -euo pipefail

most_lines=400
generated="seccomp/builtin_filters.h" # the build makes this file in the build folder
declare -A may_use=()
found=0

complain() {
  printf '%s\n' "$*" >&2
  found=$((found + 1))
}

check_includes() {
  local file=$1 room=$2 line number target
  while IFS=: read -r number line; do
    target=${line#*\"}
    target=${target%%\"*}
    if [[ ! -e src/$target && " $generated " != *" $target "* ]]; then
      complain "$file:$number: \"$target\" is not a path below src/; name included files from there"
    elif [[ " $room ${may_use[$room]} " != *" ${target%%/*} "* ]]; then
      complain "$file:$number: $room may not use ${target%%/*} (it may use: ${may_use[$room]:-nothing})"
    fi
  done < <(grep -nE '^[[:space:]]*#[[:space:]]*include[[:space:]]*"' "$file")
}

check_file() {
  local file=$1 room lines
  room=${file#src/}
  room=${room%%/*}
  if [[ ! -v may_use[$room] ]]; then
    complain "$file: the folder $room is not in the table in src/README.md; add it there, with the folders it may use"
    return
  fi
  lines=$(wc -l <"$file")
  ((lines <= most_lines)) || complain "$file: $lines lines, more than $most_lines; move a part of it to another file"
  check_includes "$file" "$room"
}

# Reads the table. A folder may use only folders in rows below its own, so that no two folders use each other.
read_table() {
  local row room used below=""
  while IFS= read -r row; do
    IFS='|' read -r _ room _ used _ <<<"$row"
    room=${room//[\` ]/}
    may_use[$room]=${used//,/ }
    below=" $room $below"
    for used in ${may_use[$room]}; do
      [[ $below != *" $used "* ]] || complain "src/README.md: $room may not use $used, which stands above it"
    done
  done < <(grep -E '^\| `' src/README.md)
}

main() {
  local file files=0
  read_table
  while IFS= read -r -d '' file; do
    files=$((files + 1))
    check_file "$file"
  done < <(find src -type f \( -name '*.h' -o -name '*.cc' \) -print0 | sort -z)
  ((files > 0)) || complain "no sources found below src/"
  ((found == 0))
}

main
