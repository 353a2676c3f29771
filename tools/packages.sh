# shellcheck shell=bash
# The Debian packages that each verb of ./dev needs, and functions to install them. Source common.sh first.

# shellcheck disable=SC2034 # packages_for() finds the lists by their names
packages_build=(g++ cmake ninja-build pkg-config lxc-dev libseccomp-dev libbtrfsutil-dev libcli11-dev libfmt-dev nlohmann-json3-dev
  libexpected-dev libtomlplusplus-dev libwayland-dev libxau-dev libexpat1-dev libxcb1-dev libyaml-dev musl-tools)
# For unit tests and benchmarks (./dev build --tests).
# shellcheck disable=SC2034
packages_build_tests=(libgtest-dev libgmock-dev libbenchmark-dev)
# bubblewrap is the default engine. LXC needs liblxc-common at run time. Ordinary users need uidmap to get their ids. The
# others are for making templates.
# shellcheck disable=SC2034
packages_run=(bubblewrap liblxc-common uidmap mmdebstrap gpg debian-archive-keyring mount tar xz-utils zstd)
# shellcheck disable=SC2034
packages_test=(ccache bats acl attr lxc jq zsh fish python3 e2fsprogs btrfs-progs zfs-fuse util-linux mount passwd iproute2 procps
  xvfb xserver-xephyr xwayland weston xauth x11-utils xdotool imagemagick pulseaudio pulseaudio-utils pipewire pipewire-pulse
  wireplumber desktop-file-utils xdg-dbus-proxy dbus-daemon dbus-bin libglib2.0-bin)
# shellcheck disable=SC2034
packages_lint=(clang-tidy clang-format shellcheck mandoc jq)
# For building the Debian package and checking it.
# shellcheck disable=SC2034
packages_package=(build-essential dpkg-dev debhelper fakeroot lintian)
# The emulator, and programs for making the virtual machine and its kernel modules.
# shellcheck disable=SC2034
packages_vm=(qemu-system-x86 dpkg-dev mmdebstrap gpg debian-archive-keyring e2fsprogs zstd xz-utils binutils util-linux)
# The compiler of the preset "clang".
# shellcheck disable=SC2034
packages_build_clang=(clang)
# libclang-rt-dev contains libFuzzer and the runtime of the sanitizers.
# shellcheck disable=SC2034
packages_fuzz=(clang libclang-rt-dev)
# The programs that "bench --compare" compares with isolate, besides those of the other lists.
# shellcheck disable=SC2034
packages_compare=(crun runc podman schroot systemd-container jq)
# For making a bare Debian root and entering it.
# shellcheck disable=SC2034
packages_fresh=(mmdebstrap gpg debian-archive-keyring tar util-linux mount passwd)

# install_packages PURPOSE...: installs missing packages. It prints nothing if none is missing.
install_packages() {
  local purpose packages missing
  for purpose in "$@"; do
    mapfile -t packages < <(packages_for "$purpose")
    missing=$(missing_packages "${packages[@]}")
    [[ -n $missing ]] || continue
    # shellcheck disable=SC2086 # a list of words
    install_missing "${purpose//_/ }" $missing
  done
}

# Prints the purposes that have a list, one on each line.
package_purposes() { compgen -A variable packages_ | sed 's/^packages_//'; }

# packages_for PURPOSE: prints the packages, one on each line.
packages_for() {
  local -n list=packages_$1
  printf '%s\n' "${list[@]}"
}

# Fails unless this is a Debian release for which the lists have been tested.
check_release() {
  local id version name
  # shellcheck source=/dev/null
  IFS='|' read -r id version name < <(. /etc/os-release 2>/dev/null && echo "${ID:-}|${VERSION_ID:-}|${PRETTY_NAME:-}") || true
  [[ $id == debian && ($version == 12 || $version == 13) ]] && return
  fail "this is ${name:-an unknown distribution}; ./dev installs packages on Debian 12 (bookworm) and Debian 13 (trixie) only." \
    "Nothing was installed. Install these packages or your distribution's equivalents, then try again: $*"
}

missing_packages() {
  local package missing=()
  for package in "$@"; do
    [[ $(dpkg-query -W -f='${db:Status-Status}' "$package" 2>/dev/null) == installed ]] || missing+=("$package")
  done
  echo "${missing[*]}"
}

install_missing() {
  local purpose=$1
  shift
  check_release "$@"
  ((EUID == 0)) || fail "packages to $purpose are missing; install them as root: apt-get install --no-install-recommends $*"
  say "installing packages to $purpose: $*"
  package_lists_exist || apt_get update
  apt_get install "$@" && return
  say "the installation failed; updating the package lists and trying once more"
  dpkg --configure -a
  apt_get update
  apt_get install "$@"
}

package_lists_exist() {
  compgen -G '/var/lib/apt/lists/*_Packages*' >/dev/null
}

# Runs apt-get without questions. Its output is shown only if it fails.
apt_get() {
  local log status=0
  log=$(mktemp)
  DEBIAN_FRONTEND=noninteractive apt-get -y -qq --no-install-recommends --no-remove -o Dpkg::Use-Pty=0 -o DPkg::Lock::Timeout=600 \
    -o Acquire::Retries=3 "$@" </dev/null >"$log" 2>&1 || status=$?
  ((status == 0)) || cat "$log" >&2
  rm "$log"
  return "$status"
}
