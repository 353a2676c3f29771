# The test files in the guest load this, together with the helpers of the system tests. The programs are the installed
# ones.
# shellcheck shell=bash
# shellcheck disable=SC2034,SC2154 # the test files use them; WORK and others come from the runner

load ../system/helpers
unset -f isolate isolatectl

STORE=/var/lib/isolate
PARENT=rpool/isolate
DATASET=$PARENT/debisl
MOUNTS=/run/isolate/mounts

# Makes a snapshot with the time stamp that the README recommends.
snapshot_now() { zfs snapshot "${1:-$DATASET}@$(date '+%Y%m%dT%H%M%SZ')"; }

# on_disk CLONE COMMAND...: runs a command in the top directory of a leased clone, mounted where nobody else sees it.
on_disk() {
  unshare --mount --propagation private sh -ec 'mount -t zfs -o zfsutil "$1" /mnt; cd /mnt; shift; exec "$@"' sh "$@"
}
# hold_clone CLONE: keeps it mounted in a separate mount namespace until the process in HOLDER is killed.
hold_clone() {
  unshare --mount --propagation private sh -c 'mount -t zfs -o zfsutil "$1" /mnt && exec sleep 1000' sh "$1" 3>&- &
  HOLDER=$!
  STARTED+=("$HOLDER")
  wait_until 20 names_clone "$HOLDER" "$1" || complain "$1 can't be held"
}

# names_clone PID CLONE: succeeds if the process's mount table has the clone.
names_clone() { grep -qF -- " $2 " "/proc/$1/mountinfo"; }
# Neither the host's mount table nor df may show it. `df` may fail at a mount that it can't access.
expect_not_mounted() {
  local shown
  refute names_clone 1 "$1"
  shown=$(df --all 2>/dev/null || true)
  [[ -n $shown && $shown != *"$1"* ]] || complain "df shows $1: $shown"
}

# Prints the clones of a template by the names of their datasets, whatever the state of the pool says.
clones_of() {
  zfs list -H -o name -r "$PARENT" | grep -E "^$PARENT/$1_[0-9]+$" || true
}
number_of_clones() { clones_of "$1" | grep -c . || true; }
# A run that has ended may still be removing its clone.
no_clones() { wait_until 10 has_no_clones "$1"; }
has_no_clones() { [[ $(number_of_clones "$1") == 0 ]]; }

# pool_is TEMPLATE FIELD VALUE: succeeds if the status of that template's pool has this value.
pool_is() { [[ $(isolatectl pool status "zfs:$1" --json | jq ".[0].$2") == "$3" ]]; }
expect_pool() { pool_is "$@" || complain "expected $2 to be $3: $(isolatectl pool status "zfs:$1" --json)"; }
pool_settles() { wait_until 30 pool_is "$@" || complain "expected $2 to become $3: $(isolatectl pool status "zfs:$1" --json)"; }

# expect_none_in_common WORDS WORDS: expects that no line is in both.
expect_none_in_common() {
  local both
  both=$(comm -12 <(sort <<<"$1") <(sort <<<"$2"))
  [[ -z $both ]] || complain "in both: $both"
}

# Prints each clone, lease and draft of any ZFS store.
zfs_state() { find "$STORE"/zfs/*/*/{making,leased,kept,trash} -mindepth 1 -maxdepth 1 2>/dev/null; }
no_zfs_state() { [[ -z $(zfs_state) ]]; }

# Makes a root with only busybox, which is quick to make and remove.
make_small_root() {
  mkdir -p "$1"/{bin,dev,etc,home,proc,root,sys,tmp,usr,var}
  cp "$(command -v busybox)" "$1/bin/busybox"
  local name
  for name in sh cat id ls stat touch rm sleep chown test true; do ln -s busybox "$1/bin/$name"; done
  echo root:x:0:0::/root:/bin/sh >"$1/etc/passwd"
}

# Starts a run in the background that waits. Its pid is in STARTED_PID, its output in $SCRATCH/out.
#   start_run OPTION... -- SHELL COMMANDS
start_run() {
  local options=()
  while [[ $1 != -- ]]; do
    options+=("$1")
    shift
  done
  start "$ISOLATE" -q "${options[@]}" sh -c "$2; echo ready; exec sleep $MARK"
  # A system that boots takes long on a loaded machine.
  wait_until 120 run_is_ready_or_over
  run_is_ready || complain "the run did not start: $(cat "$SCRATCH/out" "$SCRATCH/err")"
}
run_is_ready_or_over() { run_is_ready || ! kill -0 "$STARTED_PID" 2>/dev/null; }
run_is_ready() { grep -q '^ready$' "$SCRATCH/out"; }
# Prints the pid, on the host, of such a run's command.
pid_of_run() { pgrep --full --newest -- "^sleep $MARK"; }
id_of_process() { awk -v field="$2" '$1 == field ":" { print $2 }' "/proc/$1/status"; }
