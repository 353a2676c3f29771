# What the test files in the guest load, beside the helpers of the system tests. The programs are called as installed.
# shellcheck shell=bash
# shellcheck disable=SC2034,SC2154 # the test files use them; WORK and others come from the runner

load ../system/helpers
unset -f isolate isolatectl

STORE=/var/lib/isolate
PARENT=rpool/isolate
DATASET=$PARENT/debisl
MOUNTS=/run/isolate/mounts

# The stamp that the README tells to give a snapshot.
snapshot_now() { zfs snapshot "${1:-$DATASET}@$(date '+%Y%m%dT%H%M%SZ')"; }

# on_disk CLONE COMMAND...: what a leased clone holds, looked at where nobody else has it mounted. The command begins in
# its top directory.
on_disk() {
  unshare --mount --propagation private sh -ec 'mount -t zfs -o zfsutil "$1" /mnt; cd /mnt; shift; exec "$@"' sh "$@"
}
# hold_clone CLONE: keeps it mounted in a mount namespace of its own, until the process is killed whose pid is in HOLDER.
hold_clone() {
  unshare --mount --propagation private sh -c 'mount -t zfs -o zfsutil "$1" /mnt && exec sleep 1000' sh "$1" 3>&- &
  HOLDER=$!
  STARTED+=("$HOLDER")
  wait_until 20 names_clone "$HOLDER" "$1" || complain "$1 can't be held"
}

# names_clone PID CLONE: a process's mount table does.
names_clone() { grep -qF -- " $2 " "/proc/$1/mountinfo"; }
# Neither in the host's mount table nor in what df shows. `df` may fail at a mount that it can't look at.
expect_not_mounted() {
  local shown
  refute names_clone 1 "$1"
  shown=$(df --all 2>/dev/null || true)
  [[ -n $shown && $shown != *"$1"* ]] || complain "df shows $1: $shown"
}

# The clones of a template by the names of their datasets, whatever the state of the pool says.
clones_of() {
  zfs list -H -o name -r "$PARENT" | grep -E "^$PARENT/$1_[0-9]+$" || true
}
number_of_clones() { clones_of "$1" | grep -c . || true; }
no_clones() { [[ $(number_of_clones "$1") == 0 ]]; }

# pool_is TEMPLATE FIELD VALUE
pool_is() { [[ $(isolatectl pool status "zfs:$1" --json | jq ".[0].$2") == "$3" ]]; }
expect_pool() { pool_is "$@" || complain "expected $2 to be $3: $(isolatectl pool status "zfs:$1" --json)"; }
pool_settles() { wait_until 30 pool_is "$@" || complain "expected $2 to become $3: $(isolatectl pool status "zfs:$1" --json)"; }

# expect_none_in_common WORDS WORDS
expect_none_in_common() {
  local both
  both=$(comm -12 <(sort <<<"$1") <(sort <<<"$2"))
  [[ -z $both ]] || complain "in both: $both"
}

# No clone, lease or draft of any ZFS store.
zfs_state() { find "$STORE"/zfs/*/*/{making,leased,kept,trash} -mindepth 1 -maxdepth 1 2>/dev/null; }
no_zfs_state() { [[ -z $(zfs_state) ]]; }

# A root with nothing but busybox, for what has to be made and removed quickly.
make_small_root() {
  mkdir -p "$1"/{bin,dev,etc,home,proc,root,sys,tmp,usr,var}
  cp "$(command -v busybox)" "$1/bin/busybox"
  local name
  for name in sh cat id ls stat touch rm sleep chown test true; do ln -s busybox "$1/bin/$name"; done
  echo root:x:0:0::/root:/bin/sh >"$1/etc/passwd"
}

# A run in the background that waits; its pid is in STARTED_PID, what it printed in $SCRATCH/out.
#   start_run OPTION... -- SHELL COMMANDS
start_run() {
  local options=()
  while [[ $1 != -- ]]; do
    options+=("$1")
    shift
  done
  start "$ISOLATE" -q "${options[@]}" sh -c "$2; echo ready; exec sleep $MARK"
  # A system that is booted takes long on a loaded machine.
  wait_until 120 run_is_ready_or_over
  run_is_ready || complain "it did not start: $(cat "$SCRATCH/out" "$SCRATCH/err")"
}
run_is_ready_or_over() { run_is_ready || ! kill -0 "$STARTED_PID" 2>/dev/null; }
run_is_ready() { grep -q '^ready$' "$SCRATCH/out"; }
# The pid on the host of the command of such a run.
pid_of_run() { pgrep --full --newest -- "^sleep $MARK"; }
id_of_process() { awk -v field="$2" '$1 == field ":" { print $2 }' "/proc/$1/status"; }
