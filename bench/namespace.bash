# What the benchmarks share that live in a mount namespace of their own, of which nothing remains. They define $benchmark,
# $bindir and `inside WORK ARGUMENT...`, which runs there, and call in_namespace.
# shellcheck shell=bash
# shellcheck disable=SC2154 # benchmark and bindir come from who sources this

readonly tarball=${ISOLATE_TEST_TARBALL:-/var/tmp/isolate-test-cache/debian-bookworm-minbase.tar}

say() { printf 'bench/%s: %s\n' "$benchmark" "$*" >&2; }
die() { say "error: $*" && exit 1; }

check_root_and_tarballs() {
  local file
  [[ $(id -u) == 0 ]] || die "must be run as root"
  for file in "$@"; do
    [[ -f $file ]] || die "there is no $file; sudo ./dev test makes it"
  done
}

# in_namespace SCRIPT "PROGRAM..." ARGUMENT...: makes a folder with copies of the programs and an unpacked root, and runs
# `SCRIPT --inside FOLDER ARGUMENT...`.
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
  # A process group of its own: all that is started ends with it. Not a pid namespace, in which a run takes longer.
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
  # The loop device and the mounts went with the namespace; the kernel may need a moment for it.
  for _ in {1..50}; do
    rm -rf --one-file-system -- "$work" 2>/dev/null && break
    sleep 0.1
  done
  [[ ! -e $work ]] || { say "could not remove $work" && status=1; }
  exit "$status"
}
