# shellcheck shell=bash
# The Debian packages that each purpose needs, and their installation. Needs common.sh.

# shellcheck disable=SC2034 # read through the purpose's name
packages_build=(g++ cmake ninja-build pkg-config lxc-dev libseccomp-dev libbtrfsutil-dev libcli11-dev libfmt-dev nlohmann-json3-dev
  libexpected-dev libtomlplusplus-dev musl-tools)
# For ./dev build --tests: unit tests and benchmarks.
# shellcheck disable=SC2034
packages_build_tests=(libgtest-dev libgmock-dev libbenchmark-dev)
# bubblewrap is the default engine, liblxc-common what LXC needs at run time, uidmap gives ordinary users their ids, the
# others make templates.
# shellcheck disable=SC2034
packages_run=(bubblewrap liblxc-common uidmap mmdebstrap gpg debian-archive-keyring mount tar xz-utils zstd)
# shellcheck disable=SC2034
packages_test=(bats acl attr lxc jq zsh fish python3 e2fsprogs btrfs-progs zfs-fuse util-linux mount passwd iproute2 procps)
# shellcheck disable=SC2034
packages_lint=(clang-tidy clang-format shellcheck mandoc jq)
# Makes the Debian package, and judges it.
# shellcheck disable=SC2034
packages_package=(build-essential dpkg-dev debhelper fakeroot lintian)
# The emulator, and what makes the guest and its kernel modules.
# shellcheck disable=SC2034
packages_vm=(qemu-system-x86 dpkg-dev mmdebstrap gpg debian-archive-keyring e2fsprogs zstd xz-utils binutils util-linux)
# The compiler of the preset "clang".
# shellcheck disable=SC2034
packages_build_clang=(clang)
# The sanitizers' runtime and libFuzzer are in the second one.
# shellcheck disable=SC2034
packages_fuzz=(clang libclang-rt-dev)
# Makes a bare Debian root, and enters it.
# shellcheck disable=SC2034
packages_fresh=(mmdebstrap gpg debian-archive-keyring tar util-linux mount passwd)

# install_packages PURPOSE...: installs what is missing; says nothing when all is there.
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

# All purposes that have a list, a line each.
package_purposes() { compgen -A variable packages_ | sed 's/^packages_//'; }

# packages_for PURPOSE: the list, a line each.
packages_for() {
  local -n list=packages_$1
  printf '%s\n' "${list[@]}"
}

# The lists were tried on these releases alone.
check_release() {
  local id version name
  # shellcheck source=/dev/null
  IFS='|' read -r id version name < <(. /etc/os-release 2>/dev/null && echo "${ID:-}|${VERSION_ID:-}|${PRETTY_NAME:-}") || true
  [[ $id == debian && ($version == 12 || $version == 13) ]] && return
  fail "this is ${name:-no known distribution}; what isolate needs is known for Debian 12 (bookworm) and Debian 13 (trixie) only." \
    "Nothing was installed. On another one, install these packages or their counterparts, then try again: $*"
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
  say "that failed; refreshing the package lists and trying once more"
  dpkg --configure -a
  apt_get update
  apt_get install "$@"
}

package_lists_exist() {
  compgen -G '/var/lib/apt/lists/*_Packages*' >/dev/null
}

# What apt and dpkg say of each package is shown only when they fail.
apt_get() {
  local log status=0
  log=$(mktemp)
  DEBIAN_FRONTEND=noninteractive apt-get -y -qq --no-install-recommends --no-remove -o Dpkg::Use-Pty=0 -o DPkg::Lock::Timeout=600 \
    -o Acquire::Retries=3 "$@" </dev/null >"$log" 2>&1 || status=$?
  ((status == 0)) || cat "$log" >&2
  rm "$log"
  return "$status"
}
