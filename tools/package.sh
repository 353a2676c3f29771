#!/usr/bin/env bash
# package [--tests]: builds the Debian package of this checkout with Debian's own tools (debian/rules), and checks it with
# lintian. It works on a copy of the sources in build-package, so that it writes nothing into the checkout's other folders.
# Compiled files stay there and speed up the next build. --tests also builds the unit tests beside the package's programs.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
source tools/common.sh
source tools/packages.sh

package=isolate-clones

check_version() {
  local of_program of_package
  of_program=$(sed -n 's/^project(isolate VERSION \([0-9.]*\).*/\1/p' CMakeLists.txt)
  of_package=$(dpkg-parsechangelog --show-field Version)
  [[ -n $of_program && ($of_package == "$of_program" || $of_package == "$of_program"[~+]*) ]] ||
    fail "debian/changelog has version $of_package, but CMakeLists.txt has $of_program; make them the same"
}

# Copies the sources with their modification times, so that unchanged files are not compiled again. Files that no longer
# exist here are removed from the copy.
copy_sources() {
  mkdir -p "$source"
  find "$source" -mindepth 1 -maxdepth 1 ! -name 'obj-*' -exec rm -rf --one-file-system {} +
  tar --create --exclude './build*' --exclude ./.git --exclude ./.cache . | tar --extract --directory "$source"
  # Remove the files that would make debhelper believe that the package is built already.
  rm -f "$source"/debian/{files,debhelper-build-stamp,*.substvars,*.debhelper*}
}

# Builds the package without debugging information, with which compiling would take half as long again.
build() {
  find "$folder" -maxdepth 1 -type f -delete
  (
    cd "$source"
    DEB_BUILD_PROFILES=$profiles DEB_BUILD_OPTIONS="noautodbgsym nocheck parallel=$(nproc)" DEB_CFLAGS_STRIP=-g DEB_CXXFLAGS_STRIP=-g \
      dpkg-buildpackage --no-sign --build=binary --no-pre-clean
  ) </dev/null >"$folder/log" 2>&1 && return
  tail -n 30 "$folder/log" >&2
  fail "the package could not be built; all messages are in $folder/log"
}

check() {
  lintian --fail-on error,warning --info --tag-display-limit 0 "$folder"/*.changes >"$folder/lintian" 2>&1 && return
  cat "$folder/lintian" >&2
  fail "lintian reports errors in the package, see above"
}

main() {
  local folder=build-package source lock profiles='' purposes=(build package)
  if [[ ${1:-} == --tests ]]; then
    profiles=pkg.isolate-clones.tests
    purposes+=(build_tests)
    shift
  fi
  (($# == 0)) || fail "usage: ./dev package [--tests]"
  source=$folder/$package
  install_packages "${purposes[@]}"
  check_version
  say "building the package"
  trap hand_back_build_files EXIT
  mkdir -p "$folder"
  exec {lock}<"$folder"
  flock --nonblock "$lock" || { say "waiting for another build in $folder" && flock "$lock"; }
  copy_sources
  build
  check
  say "the package is $(echo "$folder/${package}"_*.deb)"
}

main "$@"
