# variants: root-native user-bwrap
# other variants: root-bwrap user-native root-lxc
# isolate ends before its clone is removed, and a process of its own removes it.

load helpers

# Leaves so many files in the clone that their removal takes a while.
with_files() { isolate -q "$@" -z debian sh -c 'mkdir /many && cd /many && seq 40000 | xargs touch && echo done'; }
pool() { echo "$STORE/pools/debian"; }
is_being_removed() { [[ -n $(ls "$(pool)/trash") ]]; }
is_removed() { [[ -z $(find "$(pool)/trash" "$STORE/clones" -mindepth 1 -maxdepth 1) ]]; }
# Prints the pid of the process that removes the clone of the last run.
remover() { cat "$(pool)/ended"; }

@test "isolate ends before the clone is removed, and --sync waits for that" {
  succeeds with_files
  expect_output done
  is_being_removed || complain "it is gone already"
  [[ -z $(ls "$(pool)/leased") ]] || complain "it still counts as leased"
  wait_until 20 is_removed || complain "$(ls "$(pool)"/*)"
  succeeds with_files --sync
  is_removed || complain "$(ls "$(pool)"/*)"
}

@test "the process that removes the clone has no terminal, directory or open file of the caller's" {
  local lock file=$SCRATCH/lock
  as_caller touch "$file"
  exec {lock}<"$file"
  flock "$lock"
  # The caller's standard error is a pipe here, and the run inherits the descriptor of the lock.
  succeeds with_files
  exec {lock}<&-
  is_being_removed || complain "it is gone already"
  [[ $(tr '\0' ' ' <"/proc/$(remover)/comm") == isolate-end* ]]
  [[ $(readlink "/proc/$(remover)/cwd") == / ]]
  # proc(5): the fields after the name are state, parent, group, session and terminal.
  [[ $(cut -d ' ' -f 6,7 "/proc/$(remover)/stat") == "$(remover) 0" ]]
  flock --nonblock "$file" true || complain "it holds the lock of a file"
  wait_until 20 is_removed
}

@test "if that process is killed, the next runs remove the clone" {
  succeeds with_files
  kill -KILL "$(remover)"
  ! is_removed || complain "it was faster than the signal"
  wait_until 20 a_run_removes_it || complain "$(ls "$(pool)"/*)"
}
a_run_removes_it() { isolate -q -z debian true && is_removed; }

@test "isolatectl gc waits for the removal" {
  succeeds with_files
  is_being_removed || complain "it is gone already"
  succeeds isolatectl gc
  is_removed || complain "$(ls "$(pool)"/*)"
}

@test "where eight clones are being removed, a run removes its own" {
  local number
  for number in {1..8}; do as_caller touch "$(pool)/trash/debian-$MARK-$number"; done
  succeeds isolate -q -z debian true
  [[ $(ls "$STORE/clones") == "" ]] || complain "$(ls "$STORE/clones")"
  rm -f "$(pool)/trash/debian-$MARK-"*
}

# The first process of this pid namespace waits for the processes only that it has started.
@test "where nobody reaps orphans, at most one remains" {
  [[ $IDENTITY == root ]] || return 0
  succeeds unshare --pid --fork --kill-child --mount-proc python3 -c '
import os, subprocess, sys, time
for number in range(6):
    subprocess.run(["sh", "-c", "\"$@\"; exit $?", "sh"] + sys.argv[1:], check=True)
    time.sleep(0.3)
zombies = 0
for pid in filter(str.isdigit, os.listdir("/proc")):
    zombies += ") Z " in open(f"/proc/{pid}/stat").read()
print(zombies)' "$ISOLATE" --store "$STORE" -q -z debian true
  [[ $output == 1 ]]
}
