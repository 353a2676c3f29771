# shellcheck shell=bash
# The Debian roots of the system tests, for others. Needs root, and packages to run.

# make_tarballs SCRATCH: makes what is not kept yet. Their paths are in $tarball and $system_tarball, the one with systemd.
make_tarballs() {
  (
    # shellcheck source=tests/system/fixture.bash
    source tests/system/fixture.bash
    export WORK=$1
    make_tarball
    make_system_tarball
  )
  # shellcheck disable=SC2034 # read by who calls
  tarball=${ISOLATE_TEST_TARBALL:-/var/tmp/isolate-test-cache/debian-bookworm-minbase.tar}
  # shellcheck disable=SC2034
  system_tarball=/var/tmp/isolate-test-cache/debian-bookworm-systemd.tar
}
