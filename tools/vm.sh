#!/usr/bin/env bash
# vm [--suite=trixie|bookworm] [--short] [FILE...], vm [--suite=...] --bench[=--quick], vm [--suite=...] --image: runs the tests
# in tests/vm, or the named ones, or with --bench the program bench/zfs, or with --image only builds the guest. Each file runs in
# its own virtual machine (the guest): Debian with OpenZFS, systemd and cgroup v2 under software emulation, with the Debian package
# installed. The ZFS of trixie (the default) maps ids, that of bookworm does not. The guest is built once and kept in
# /var/tmp/isolate-vm, booted and frozen.
# A line "# suites:" in a file names the suites that it is for, and says whether --short runs it. A line "# builds: faults"
# asks for programs with fault points in place of those of the package.
#
#   ISOLATE_CRASH_ROUNDS, ISOLATE_CRASH_SEED   passed to the guest; see tests/vm/daemon_crash.bats
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
source tools/common.sh
source tools/packages.sh
source tools/tarballs.sh

kept=/var/tmp/isolate-vm
programs=(isolate isolatectl isolated isolate-init isolate-lxc isolate-wayland isolate-x11 isolate-zfs seccomp_wrapper)
seconds_of_a_file=$((1200 + ${ISOLATE_CRASH_ROUNDS:-0} * 60))
suite=trixie
short=false
bench= # the command line of bench/zfs
passed=0
failed=0
job=
work=

usage() { fail "usage: ./dev vm [--suite=trixie|bookworm] [--image | [--short] [FILE...]]"; }

# Runs a command in new mount and pid namespaces, so that none of its processes and mounts can stay behind, even if this
# script is killed.
contained() {
  local status=0
  setpriv --pdeathsig KILL unshare --mount --propagation private --pid --mount-proc --fork --kill-child -- "$@" </dev/null &
  job=$!
  wait "$job" || status=$?
  job=
  return "$status"
}

# Prints a hash of everything that a guest is made from, except the packages of the mirror. To get newer packages, remove the
# guest's folder.
image_key() {
  {
    echo "$suite"
    cat tests/vm/image/* tests/vm/machine "$tarball" "$system_tarball"
    qemu-system-x86_64 --version
  } | sha256sum | cut -c 1-16
}

# Builds the guest unless it exists. A lock allows one build at a time. The guest is renamed to its place when it is complete,
# so that others never see half a guest.
make_image() {
  local lock draft
  image=$kept/$suite-$(image_key)
  mkdir -p "$kept"
  exec {lock}>"$kept/lock"
  flock --nonblock "$lock" || { say "waiting for another build of a guest" && flock "$lock"; }
  if [[ ! -s $image/state ]]; then
    say "building the guest ($suite); this takes some minutes and happens only once"
    remove_old_images
    draft=$kept/draft
    rm -rf --one-file-system "$draft" "$image"
    mkdir "$draft"
    contained tests/vm/image/build "$suite" "$tarball" "$system_tarball" "$kept/cache" "$draft" || fail "the guest could not be built"
    mv "$draft" "$image"
  fi
  touch "$image"
  exec {lock}>&-
}

# Removes guests that nobody has used for two weeks. Newer ones may belong to other checkouts that use them.
remove_old_images() {
  find "$kept" -mindepth 1 -maxdepth 1 -type d -name '*-????????????????' -mtime +14 -exec rm -rf --one-file-system {} +
}

# Sets $files to those of the named files, or of all files, that are for the suite.
choose_files() {
  local file
  (($# > 0)) || set -- tests/vm/*.bats
  for file in "$@"; do
    [[ -f $file ]] || fail "no such file: $file"
    [[ $(realpath "$file") == "$PWD"/tests/vm/*.bats ]] || fail "$file is not a .bats file in tests/vm"
    if is_wanted "$file"; then files+=("tests/vm/${file##*/}"); fi
  done
  ((${#files[@]} > 0)) || fail "none of these tests is for $suite"
}

# Whether a file is for the suite, by a line such as "# suites: trixie bookworm, short". A file without such a line is the
# second part of a test in another file.
is_wanted() {
  local line
  line=$(grep -E "^# suites:.*\<$suite\>" "$1") || return 1
  ! $short || [[ $line == *', short' ]]
}

wants_faults() { grep -q '^# builds: faults$' "$@"; }

# Puts together the files for the guest: the package, programs with fault points if the file wants them, the tests, and a
# script that starts the file.
make_bundle() {
  local input=$1 file=$2
  mkdir -p "$input/tests"
  cp build-package/*.deb "$input/isolate.deb"
  if wants_faults "$file"; then
    mkdir "$input/bin"
    cp "${programs[@]/#/build-faults/bin/}" "$input/bin/"
  fi
  cp -R tests/vm tests/system "$input/tests/"
  [[ -z $bench ]] || cp bench/zfs "$input/"
  cat >"$input/start" <<SH
#!/bin/sh
export BATS_TEST_TIMEOUT=$seconds_of_a_file
export ISOLATE_CRASH_ROUNDS=${ISOLATE_CRASH_ROUNDS:-} ISOLATE_CRASH_SEED=${ISOLATE_CRASH_SEED:-}
${bench:+dpkg --install isolate.deb >/dev/null || exit 1
exec $bench}
exec tests/vm/run isolate.deb $file
SH
  chmod 0755 "$input/start"
}

# Runs a file in a guest. If the guest dies, this is probably the emulator's fault, so the file is run once more, and a message
# says so. If it dies again, the file has failed.
test_file() {
  local file=$1 attempt folder status
  for attempt in 1 2; do
    folder=$work/${file##*/}-$attempt
    mkdir -p "$folder"
    make_bundle "$folder/input" "$file"
    status=0
    contained tests/vm/machine run "$image" "$folder" "$seconds_of_a_file" || status=$?
    ((status == 125 && attempt == 1)) || break
    say "$file: the guest died; trying once more"
  done
  cat "$folder/output"
  count "$file" "$folder/output" "$status"
}

# Adds the numbers that the runner in the guest has printed in its last line. If there is no such line, or the runner failed
# without a failed test, the file counts as one failed test.
count() {
  local file=$1 output=$2 status=$3 closing
  closing=$(tail -n 1 "$output" | grep -xE '[0-9]+ passed, [0-9]+ failed' || true)
  if [[ -n $closing ]]; then
    passed=$((passed + ${closing%% *}))
    closing=${closing#* passed, }
    failed=$((failed + ${closing%% *}))
    if ((status == 0 || ${closing%% *} > 0)); then return; fi
  fi
  failed=$((failed + 1))
  case $status in
    124) echo "not ok: $file: not finished after $seconds_of_a_file seconds" ;;
    125) echo "not ok: $file: the guest died" ;;
    *) echo "not ok: $file: ended with status $status" ;;
  esac
}

# Prints what bench/zfs prints in a guest.
run_bench() {
  local folder=$work/bench status=0
  mkdir "$folder"
  make_bundle "$folder/input" bench/zfs
  contained tests/vm/machine run "$image" "$folder" 3600 || status=$?
  cat "$folder/output"
  return "$status"
}

finish() {
  local status=$?
  trap - EXIT
  trap '' INT TERM HUP
  [[ -z $job ]] || { kill -KILL "$job" && wait "$job"; } 2>/dev/null || true
  [[ -z $work ]] || rm -rf --one-file-system "$work"
  hand_back_build_files
  if [[ -n ${finished:-} ]]; then
    echo "$passed passed, $failed failed"
    ((failed == 0 && passed > 0)) || status=1
  fi
  exit "$status"
}

test_files() {
  local file
  for file in "$@"; do
    say "$file ($suite)"
    test_file "$file"
  done
  finished=yes
}

main() {
  local files=() mode=tests
  while [[ ${1:-} == -* ]]; do
    case $1 in
      --suite=trixie | --suite=bookworm) suite=${1#*=} ;;
      --short) short=true ;;
      --bench | --bench=--quick) mode=bench bench="./zfs ${1#--bench}" bench=${bench/ =/ } ;;
      --image) mode=image ;;
      *) usage ;;
    esac
    shift
  done
  need_root vm
  if [[ $mode == tests ]]; then choose_files "$@"; elif (($# > 0)); then usage; fi
  trap finish EXIT
  trap 'exit 130' INT
  trap 'exit 143' TERM HUP
  install_packages build vm
  [[ $mode == image ]] || tools/package.sh
  if [[ $mode == tests ]] && wants_faults "${files[@]}"; then tools/build.sh faults "${programs[@]}"; fi
  work=$(mktemp -d /var/tmp/isolate-vm-run.XXXXXXXX)
  make_tarballs "$work"
  make_image
  case $mode in
    image) say "the guest is in $image" ;;
    bench) run_bench ;;
    tests) test_files "${files[@]}" ;;
  esac
}

main "$@"
