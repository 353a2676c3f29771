# Compares the machine with its state before the tests, which must leave nothing behind.
# shellcheck shell=bash

# If the set-up failed early, some variables are not set yet. Then nothing of theirs is left either.
: "${USER_A_UID:=none}" "${USER_B_UID:=none}" "${SUBORDINATE_BASE:=-1}" "${BINDIR:=/nonexistent}"

remember_machine() {
  MOUNTS_BEFORE=$(mount_points)
  NAMESPACES_BEFORE=$(ls /run/netns 2>/dev/null || true)
  PLACES_BEFORE=$(ls /run/isolate/mounts 2>/dev/null || true)
}

mount_points() {
  findmnt --raw --noheadings --output TARGET,SOURCE,FSTYPE | sort
}

# Prints what is left, a line each, and fails if there is anything.
report_leftovers() {
  local found
  # A process that is ending may need a moment.
  for _ in $(seq 20); do
    found=$(all_leftovers)
    [[ -n $found ]] || return 0
    sleep 0.1
  done
  echo "not ok: left behind:"
  printf '%s\n' "$found"
  return 1
}

all_leftovers() {
  comm -13 <(printf '%s\n' "$MOUNTS_BEFORE") <(mount_points) | sed 's/^/mount: /'
  losetup --noheadings --list --output NAME,BACK-FILE | grep -F "$WORK" | sed 's/^/loop device: /'
  comm -13 <(printf '%s\n' "$NAMESPACES_BEFORE") <(ls /run/netns 2>/dev/null) | sed 's/^/network namespace: /'
  comm -13 <(printf '%s\n' "$PLACES_BEFORE") <(ls /run/isolate/mounts 2>/dev/null) | sed 's/^/place of a clone: /'
  processes_of_tests
  find "$WORK" -xdev \( -path "$WORK/tree-*" -o -path '*/layers/*' \) -prune -o \
    -regex '.*/\(clones\|drafts\|trash\|making\|leased\|kept\)/[^/]*' -print 2>/dev/null | sed 's/^/state: /'
  find "$WORK/scratch" -mindepth 1 -maxdepth 1 2>/dev/null | sed 's/^/scratch: /'
}

# Prints the processes of the test users and their subordinate ids, and those of the programs under test, whoever runs
# them.
processes_of_tests() {
  local pid
  [[ -n ${WORK:-} ]] || return 0
  {
    ps -e -o pid= -o uid= | awk -v a="$USER_A_UID" -v b="$USER_B_UID" -v base="$SUBORDINATE_BASE" \
      '$2 == a || $2 == b || (base > 0 && $2 >= base && $2 < base + 65536) { print $1 }'
    find -L /proc/[0-9]*/exe -maxdepth 0 \( -samefile "$BINDIR/isolate" -o -samefile "$BINDIR/isolatectl" \
      -o -samefile "$BINDIR/isolated" -o -samefile "$BINDIR/isolate-init" \) 2>/dev/null | cut -d / -f 3
    pgrep --full -- "$WORK"
  } | sort -u | while read -r pid; do
    echo "process: $pid $(ps -o user=,stat=,args= -p "$pid")"
  done
}

# A sanitizer's report counts as a failure, whatever the exit status was.
report_sanitizers() {
  local report status=0
  for report in "$WORK"/sanitizer/*; do
    [[ -f $report ]] || continue
    # A test has killed the process while the leak checker looked at it.
    grep -Eqv '^==[0-9]+==Unable to get registers from thread [0-9]+\.$' "$report" || continue
    echo "not ok: sanitizer report:"
    cat "$report"
    status=1
  done
  return "$status"
}

# Ends the processes that this script has started, and those of the tests that still run, each by its id.
end_processes() {
  local pid
  for _ in $(seq 20); do
    for pid in $(descendants_of "$$") $(processes_of_tests | sed 's/^process: \([0-9]*\) .*/\1/'); do
      if [[ $pid != "$BASHPID" ]]; then kill -KILL "$pid" 2>/dev/null; fi
    done
    if [[ -z $(processes_of_tests) ]]; then return 0; fi
    sleep 0.1
  done
  return 1
}

# Prints the processes below a process, without this shell's own subshell.
descendants_of() {
  local child children=()
  read -r -a children 2>/dev/null <"/proc/$1/task/$1/children" || true
  for child in "${children[@]}"; do
    if [[ $child == "$BASHPID" ]]; then continue; fi
    echo "$child"
    descendants_of "$child"
  done
}

unmount_below() {
  local target status=0
  [[ -n $1 ]] || return 0
  while read -r target; do
    umount "$target" || umount --lazy "$target" || status=1
  done < <(findmnt --raw --noheadings --output TARGET | grep -F "$1/" | sort --reverse)
  return "$status"
}
