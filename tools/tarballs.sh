# shellcheck shell=bash
# Makes the tarballs of Debian roots that the system tests use. Needs root, and the packages of the purpose "run".

# make_tarballs SCRATCH: makes the tarballs that are not in the cache yet. Sets $tarball, and $system_tarball for the one with
# systemd.
make_tarballs() {
  (
    # shellcheck source=tests/system/fixture.bash
    source tests/system/fixture.bash
    export BASE=$1
    make_tarball
    make_system_tarball
  )
  # shellcheck disable=SC2034 # the caller uses it
  tarball=${ISOLATE_TEST_TARBALL:-/var/tmp/isolate-test-cache/debian-bookworm-minbase.tar}
  # shellcheck disable=SC2034
  system_tarball=/var/tmp/isolate-test-cache/debian-bookworm-systemd.tar
}
