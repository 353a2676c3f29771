# Functions for benchmarks that work in a mount namespace of their own and leave nothing behind. Such a script defines
# $benchmark (its name), $bindir and the function `inside WORK ARGUMENT...`, which runs in the namespace, and calls
# in_namespace. If it makes something outside of the namespace, it defines clean_up_benchmark, which removes that at the end,
# also after a failure.
# shellcheck shell=bash
# shellcheck disable=SC2154 # the script that sources this file sets benchmark and bindir

readonly tarball=${ISOLATE_TEST_TARBALL:-/var/tmp/isolate-test-cache/debian-bookworm-minbase.tar}

say() { printf 'bench/%s: %s\n' "$benchmark" "$*" >&2; }
die() { say "error: $*" && exit 1; }

check_root_and_tarballs() {
  local file
  [[ $(id -u) == 0 ]] || die "must be run as root"
  for file in "$@"; do
    [[ -f $file ]] || die "$file does not exist; make it with: sudo ./dev test"
  done
}

# in_namespace SCRIPT "PROGRAM..." ARGUMENT...: makes a directory with copies of the programs and an unpacked root, and runs
# `SCRIPT --inside DIRECTORY ARGUMENT...` in a new mount namespace.
in_namespace() {
  local script=$1 programs
  read -r -a programs <<<"$2"
  shift 2
  work=$(mktemp -d /var/tmp/isolate-bench.XXXXXX)
  trap clean_up EXIT
  trap 'exit 130' INT TERM HUP
  chmod 711 "$work"
  mkdir "$work/bin" "$work/root"
  install -m 755 "${programs[@]/#/$bindir/}" "$work/bin"
  tar -C "$work/root" --numeric-owner --exclude='./dev/*' -xf "$tarball"
  chmod 755 "$work/root"
  # Run it in a process group of its own, which clean_up kills. A pid namespace would be simpler, but a run of isolate takes
  # longer in one.
  setsid unshare --mount --propagation private "$BASH" "$script" --inside "$work" "$@" &
  child=$!
  wait "$child"
}

clean_up() {
  local status=$?
  trap - EXIT
  if [[ -n ${child:-} ]]; then
    kill -KILL -- "-$child" 2>/dev/null || true
    wait "$child" 2>/dev/null || true
  fi
  ! declare -F clean_up_benchmark >/dev/null || clean_up_benchmark || status=1
  # The kernel removes the mounts and the loop devices with the namespace. That may take a moment, and until then the
  # directory can't be removed.
  for _ in {1..50}; do
    rm -rf --one-file-system -- "$work" 2>/dev/null && break
    sleep 0.1
  done
  [[ ! -e $work ]] || { say "could not remove $work; remove it by hand" && status=1; }
  exit "$status"
}
