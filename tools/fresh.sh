#!/usr/bin/env bash
# fresh [bookworm|trixie] [-- VERB [ARGUMENT...]]: tests the first steps of a new user on a new machine, starting with
# ./dev demo, or runs another verb of ./dev there. The machine is a bare Debian root in /var/tmp with a user, sudo, git and a
# copy of this checkout. Each command enters it with pivot_root, in new mount, pid, IPC and UTS namespaces. It shares this
# machine's network and uses the same package mirrors. The cache of the system tests keeps the tarball of the root.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
source tools/common.sh
source tools/packages.sh

kept=/var/tmp/isolate-test-cache
user=anna
suite=bookworm
work=
root=
job=
passed=0
failed=0

usage() { fail "usage: ./dev fresh [bookworm|trixie] [-- VERB [ARGUMENT...]]"; }

host_suite() { (. /etc/os-release && echo "${VERSION_CODENAME:-}"); }

# Prints this machine's lines of sources.list, changed to the suite.
package_sources() {
  local host
  host=$(host_suite)
  apt-get indextargets --format 'deb $(REPO_URI) $(RELEASE) $(COMPONENT)' 'Created-By: Packages' | sort -u |
    awk -v host="$host" -v suite="$suite" \
      '$3 == host || $3 == host "-updates" || $3 == host "-security" { sub("^" host, suite, $3); print }'
}

# Prints this machine's settings of apt that are needed to reach a mirror.
apt_settings() {
  apt-config dump | grep -E '^Acquire::((http|https)::Proxy|ForceIPv|Check-Date |Check-Valid-Until |Retries )' || true
}

# Makes the tarball of the root unless it is in the cache. It is renamed into the cache when it is complete, so that an
# interrupted run does not leave half a tarball there.
make_bare_tarball() {
  local setting options=()
  tarball=$kept/debian-$suite-fresh.tar
  [[ ! -f $tarball ]] || return 0
  say "making $tarball"
  while IFS= read -r setting; do options+=("--aptopt=${setting%;}"); done < <(apt_settings)
  mkdir -p "$kept"
  mmdebstrap --quiet --variant=minbase --include=sudo,git "${options[@]}" "$suite" "$work/bare.tar" "$work/sources"
  chmod 0644 "$work/bare.tar"
  mv "$work/bare.tar" "$tarball"
}

make_root() {
  root=$work/root
  mkdir -m 0755 "$root"
  tar --extract --numeric-owner --preserve-permissions --exclude './dev/*' --file "$tarball" --directory "$root"
  rm -f "$root"/etc/apt/sources.list "$root"/etc/apt/sources.list.d/* "$root"/etc/apt/apt.conf.d/99mmdebstrap
  cp "$work/sources" "$root/etc/apt/sources.list"
  apt_settings >"$root/etc/apt/apt.conf.d/90host"
  cp --dereference /etc/resolv.conf "$root/etc/resolv.conf"
  echo fresh >"$root/etc/hostname"
  { cat /etc/hosts && echo '127.0.1.1 fresh'; } >"$root/etc/hosts"
  chroot "$root" useradd --create-home --shell /bin/bash --groups sudo "$user"
  echo "$user ALL=(ALL) NOPASSWD: ALL" >"$root/etc/sudoers.d/$user"
  chmod 0440 "$root/etc/sudoers.d/$user"
  copy_checkout
}

# Copies this checkout with its uncommitted changes, but without build folders.
copy_checkout() {
  local target=$root/home/$user/isolate
  mkdir "$target"
  tar --create --exclude './build*' --exclude ./.git --exclude ./.cache . | tar --extract --no-same-owner --directory "$target"
  chown -R --no-dereference "$(stat -c %u:%g "$root/home/$user")" "$target"
}

# inside COMMAND_LINE: runs a command line in the root, in the checkout, in a login shell of the user. All of its processes
# are killed if this script ends first.
inside() {
  local status=0
  setpriv --pdeathsig KILL unshare --mount --propagation private --pid --ipc --uts --fork --kill-child -- \
    tools/enter_root.sh "$root" su --login "$user" -c "cd isolate && $1" </dev/null &
  job=$!
  wait "$job" || status=$?
  job=
  return "$status"
}

# check NAME COMMAND...: runs a command, prints whether it succeeded, and counts it as passed or failed.
check() {
  local name=$1 began=$SECONDS
  shift
  say "$name"
  if "$@"; then
    passed=$((passed + 1))
    echo "ok: $name ($((SECONDS - began)) s)"
  else
    failed=$((failed + 1))
    echo "not ok: $name"
    return 1
  fi
}

installed_packages() { dpkg-query --admindir "$root/var/lib/dpkg" --show; }

# ./dev must refuse a release that is not supported, name it, and install nothing.
refuses_another_release() {
  local before output status=0
  before=$(installed_packages)
  mv "$root/etc/os-release" "$work/os-release"
  printf 'ID=ubuntu\nVERSION_ID="24.04"\nPRETTY_NAME="Ubuntu 24.04 LTS"\n' >"$root/etc/os-release"
  output=$(inside 'sudo ./dev demo' 2>&1) || status=$?
  mv "$work/os-release" "$root/etc/os-release"
  printf '%s\n' "$output"
  ((status != 0)) && [[ $output == *'Ubuntu 24.04 LTS'*'Debian 12'*'Debian 13'* && $(installed_packages) == "$before" ]]
}

demo_works() {
  local line status=0 shown copy
  # This is not a pipeline, because a signal could not interrupt the wait for one.
  exec {shown}> >(exec tee "$work/demo")
  copy=$!
  inside 'sudo ./dev demo' >&"$shown" 2>&1 || status=$?
  exec {shown}>&-
  wait "$copy"
  for line in 'PRETTY_NAME="Debian GNU/Linux' 'uid=0(root)' 'there is no /root/note' 'status 7' 'sudo ./dev install'; do
    grep -qF "$line" "$work/demo" || { echo "the output lacks: $line" && status=1; }
  done
  return "$status"
}

# Executes the commands that the demo prints at its end.
next_commands_work() {
  local line
  mapfile -t lines < <(sed -n '/^==> next/,$s/^    //p' "$work/demo")
  ((${#lines[@]} >= 4)) || { echo "the demo printed only ${#lines[@]} commands to try next, not 4" && return 1; }
  for line in "${lines[@]}"; do
    printf '    $ %s\n' "$line"
    inside "$line" || return 1
  done
}

uninstalls() {
  inside 'sudo ./dev uninstall && ! command -v isolate' || return 1
  [[ -z $(find "$root/usr/local" -type f) ]]
}

# Every package in the lists of tools/packages.sh must exist in this release.
lists_are_complete() {
  inside 'source tools/common.sh && source tools/packages.sh && for purpose in $(package_purposes); do
    mapfile -t packages < <(packages_for "$purpose")
    echo "packages to ${purpose//_/ }: ${packages[*]}"
    apt-get install --simulate --no-install-recommends --quiet=2 "${packages[@]}" >/dev/null || exit
  done'
}

unit_tests_pass() {
  inside 'sudo ./dev build --tests && sudo ctest --test-dir build --parallel "$(nproc)" --timeout 300 --output-on-failure'
}

check_demo() {
  check "another release is refused ($suite)" refuses_another_release || true
  check "./dev demo ($suite)" demo_works || return
  check "commands that the demo suggests ($suite)" next_commands_work || true
  check "examples of README.md, docs and the man pages ($suite)" inside "sudo tests/examples/run $user" || true
  check "./dev uninstall ($suite)" uninstalls || true
  check "lists of packages ($suite)" lists_are_complete || true
  # For this machine's own release ./dev test and ./dev vm already do the rest.
  [[ $suite != "$(host_suite)" ]] || return 0
  check "./dev package ($suite)" inside 'sudo ./dev package' || true
  check "unit tests ($suite)" unit_tests_pass || true
}

# Removes the directories of earlier runs that were killed. A run that still works holds a lock on its directory.
remove_old_roots() {
  local folder lock
  for folder in /var/tmp/isolate-fresh.????????; do
    [[ -d $folder && -O $folder ]] || continue
    exec {lock}<"$folder"
    ! flock --nonblock "$lock" || rm -rf --one-file-system "$folder"
    exec {lock}<&-
  done
}

finish() {
  local status=$?
  trap - EXIT
  trap '' INT TERM HUP
  [[ -z $job ]] || { kill -KILL "$job" && wait "$job"; } 2>/dev/null || true
  [[ -z $work ]] || rm -rf --one-file-system "$work" || status=1
  ((failed == 0 && passed > 0)) || status=$((status > 0 ? status : 1))
  echo "$passed passed, $failed failed"
  exit "$status"
}

main() {
  local verb=()
  case ${1:-} in
    bookworm | trixie)
      suite=$1
      shift
      ;;
  esac
  if [[ ${1:-} == -- ]]; then
    (($# > 1)) || usage
    verb=("${@:2}")
  elif (($# > 0)); then
    usage
  fi
  need_root fresh
  trap finish EXIT
  trap 'exit 130' INT
  trap 'exit 143' TERM HUP
  install_packages fresh
  remove_old_roots
  work=$(mktemp -d /var/tmp/isolate-fresh.XXXXXXXX)
  exec {work_lock}<"$work"
  flock "$work_lock"
  chmod 0755 "$work"
  package_sources >"$work/sources"
  [[ -s $work/sources ]] || fail "apt has no package sources for this machine's release; run apt-get update"
  make_bare_tarball
  make_root
  if ((${#verb[@]} > 0)); then
    check "./dev ${verb[*]} ($suite)" inside "sudo ./dev ${verb[*]@Q}"
  else
    check_demo
  fi
}

main "$@"
