# shellcheck shell=bash
# Functions and settings for all verbs of ./dev. The scripts source this file from the top of the checkout.

# Root may have a strict umask, but all users must be able to use the files that are made here. PATH gets the sbin
# directories, because some versions of su leave them out.
umask 022
export PATH="$PATH:/usr/sbin:/sbin" LC_ALL=C.UTF-8
# Where ./dev install puts the programs.
# shellcheck disable=SC2034 # the scripts that source this file use it
prefix=/usr/local

say() { printf '==> %s\n' "$*"; }

fail() {
  printf 'dev: error: %s\n' "$*" >&2
  exit 1
}

need_root() {
  ((EUID == 0)) || fail "\"$1\" needs root: sudo ./dev $1"
}

# Prints the build folder that CMakePresets.json gives to a preset.
build_folder() {
  case $1 in
    release) echo build ;;
    debug | asan | faults | clang | fuzz) echo "build-$1" ;;
    *) fail "there is no preset '$1'; use release, debug, asan, faults, clang or fuzz" ;;
  esac
}

# Has the compiler's results cached across checkouts where ccache is installed, except in continuous integration, which
# begins with an empty cache. The cache does not recognize files that are compiled with precompiled headers.
use_compiler_cache() {
  if [[ ${CI:-} == true ]] || ! command -v ccache >/dev/null; then return; fi
  configure_options+=(-DISOLATE_PRECOMPILE=OFF)
  export CMAKE_C_COMPILER_LAUNCHER=ccache CMAKE_CXX_COMPILER_LAUNCHER=ccache
  export CCACHE_BASEDIR=${CCACHE_BASEDIR:-$PWD} CCACHE_NOHASHDIR=1
}

# configure_preset PRESET [OPTION OF CMAKE...]: configures a preset. If the build folder was copied or moved together with the
# checkout, it contains the old path, and CMake has to start over.
configure_preset() {
  local preset=$1 folder configure_options=("${@:2}")
  folder=$(build_folder "$preset")
  mkdir -p "$folder"
  [[ -w $folder ]] || fail "$folder belongs to another user, and you can't write to it; remove it, or run this as its owner"
  if [[ -e $folder/CMakeCache.txt ]] && ! grep -qxF "CMAKE_HOME_DIRECTORY:INTERNAL=$PWD" "$folder/CMakeCache.txt"; then
    configure_options+=(--fresh)
  fi
  use_compiler_cache
  cmake --preset "$preset" "${configure_options[@]}" --log-level=WARNING >/dev/null
}

# After root has built in the checkout of an ordinary user, this gives the build folders to that user, so that they can
# build there later.
hand_back_build_files() {
  local owner folder
  ((EUID == 0)) || return 0
  owner=$(stat -c %u:%g .)
  [[ $owner != 0:0 ]] || return 0
  for folder in build build-debug build-asan build-faults build-clang build-fuzz build-package; do
    [[ ! -d $folder ]] || chown -R --no-dereference "$owner" "$folder"
  done
}
