# shellcheck shell=bash
# What all verbs of ./dev share. Sourced with the top of the checkout as current directory.

# Files that we make must be usable by others, whatever root's own settings are; and some su leave sbin out of PATH.
umask 022
export PATH="$PATH:/usr/sbin:/sbin" LC_ALL=C.UTF-8
# Where ./dev install puts the programs.
# shellcheck disable=SC2034 # read by who sources this
prefix=/usr/local

say() { printf '==> %s\n' "$*"; }

fail() {
  printf 'dev: error: %s\n' "$*" >&2
  exit 1
}

need_root() {
  ((EUID == 0)) || fail "\"$1\" needs root: sudo ./dev $1"
}

# The folder that CMakePresets.json gives a preset.
build_folder() {
  case $1 in
    release) echo build ;;
    debug | asan | faults | clang | fuzz) echo "build-$1" ;;
    *) fail "no such preset: $1 (there are release, debug, asan, faults, clang and fuzz)" ;;
  esac
}

# configure_preset PRESET [OPTION OF CMAKE...]. A build folder that was copied or moved with its checkout knows the old path;
# CMake then has to begin anew.
configure_preset() {
  local preset=$1 folder fresh=()
  folder=$(build_folder "$preset")
  mkdir -p "$folder"
  [[ -w $folder ]] || fail "$folder belongs to somebody else; remove it, or run this as its owner"
  if [[ -e $folder/CMakeCache.txt ]] && ! grep -qxF "CMAKE_HOME_DIRECTORY:INTERNAL=$PWD" "$folder/CMakeCache.txt"; then
    fresh=(--fresh)
  fi
  cmake --preset "$preset" "${fresh[@]}" "${@:2}" --log-level=WARNING >/dev/null
}

# A checkout of an ordinary user stays his: what root built there must not be in his way later.
hand_back_build_files() {
  local owner folder
  ((EUID == 0)) || return 0
  owner=$(stat -c %u:%g .)
  [[ $owner != 0:0 ]] || return 0
  for folder in build build-debug build-asan build-faults build-clang build-fuzz build-package; do
    [[ ! -d $folder ]] || chown -R --no-dereference "$owner" "$folder"
  done
}
