# shellcheck shell=bash
# The Debian packages that each purpose needs, and their installation. Needs common.sh.

# shellcheck disable=SC2034 # read through the purpose's name
packages_build=(g++ cmake ninja-build pkg-config lxc-dev libseccomp-dev libbtrfsutil-dev libcli11-dev libfmt-dev nlohmann-json3-dev
  libexpected-dev libtomlplusplus-dev musl-tools libgtest-dev libbenchmark-dev)
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
packages_package=(dpkg-dev debhelper fakeroot lintian)
# The emulator, and what makes the guest and its kernel modules.
# shellcheck disable=SC2034
packages_vm=(qemu-system-x86 dpkg-dev mmdebstrap gpg debian-archive-keyring e2fsprogs zstd xz-utils binutils util-linux)
# The sanitizers' runtime and libFuzzer are in the second one.
# shellcheck disable=SC2034
packages_fuzz=(clang libclang-rt-14-dev)

# install_packages PURPOSE...: installs what is missing; says nothing when all is there.
install_packages() {
  local purpose missing
  for purpose in "$@"; do
    local -n wanted=packages_$purpose
    missing=$(missing_packages "${wanted[@]}")
    [[ -n $missing ]] || continue
    # shellcheck disable=SC2086 # a list of words
    install_missing "$purpose" $missing
  done
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
  ((EUID == 0)) || fail "packages to $purpose are missing; install them as root: apt-get install --no-install-recommends $*"
  command -v apt-get >/dev/null || fail "this is not a Debian system; what it takes to $purpose has to be installed by hand: $*"
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

apt_get() {
  DEBIAN_FRONTEND=noninteractive apt-get -y -qq --no-install-recommends --no-remove -o Dpkg::Use-Pty=0 -o DPkg::Lock::Timeout=600 \
    -o Acquire::Retries=3 "$@" </dev/null
}
