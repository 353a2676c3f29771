# variants: root-native user-bwrap
# other variants: root-bwrap user-native root-lxc
# isolate ends before its clone is removed; a separate process removes the clone.

load helpers

# run_and_look SCRIPT [OPTION...]: runs isolate with a command that makes so many files that the removal of its clone
# takes a while, and evaluates SCRIPT as soon as isolate has ended. A look by the test itself could come too late. The
# removal gets only the idle time of the processors, so a busy machine does not make it faster than SCRIPT. In SCRIPT,
# $pool is the state directory of the pool, and `remover` prints the pid of the process that removes the clone. BEFORE
# holds words that stand in front of the command.
BEFORE=()
run_and_look() {
  succeeds bash -c 'pool=$1; script=$2; shift 2
    remover() { until [[ -s $pool/ended ]]; do sleep 0.01; done; cat "$pool/ended"; }
    rm -f "$pool/ended"
    "$@" || exit
    eval "$script"' bash "$(pool)" "$1" "${BEFORE[@]}" chrt --idle 0 "${CALLER[@]}" "$ISOLATE" --store "$STORE" \
    -q "${@:2}" -z debian sh -c 'mkdir /many && cd /many && seq 40000 | xargs touch && echo done'
}
pool() { echo "$STORE/pools/debian"; }
is_removed() { [[ -z $(find "$(pool)/trash" "$STORE/clones" -mindepth 1 -maxdepth 1) ]]; }

@test "isolate ends before the clone is removed, and --sync waits for that" {
  run_and_look 'ls "$pool/trash" | wc -l; ls "$pool/leased" | wc -l'
  expect_output $'done\n1\n0'
  wait_until 20 is_removed || complain "$(ls "$(pool)"/*)"
  run_and_look 'ls "$pool/trash" | wc -l' --sync
  expect_output $'done\n0'
  is_removed || complain "$(ls "$(pool)"/*)"
}

@test "the process that removes the clone has no terminal, directory or open file of the caller's" {
  local file=$SCRATCH/lock
  : >"$file"
  # Only the run has the descriptor of the lock.
  BEFORE=(bash -c 'exec 9<"$0" && flock 9 && exec "$@"' "$file")
  # proc(5): the fields after the name are state, parent, group, session and terminal.
  run_and_look "flock --nonblock '$file' echo free
    remover=\$(remover)
    readlink /proc/\$remover/cwd
    read -r pid name state parent group session terminal rest </proc/\$remover/stat
    echo \$name \$((session - pid)) \$terminal
    tr -d '\\0' </proc/\$remover/cmdline"
  expect_output $'done\nfree\n/\n(isolate-end) 0 0\nisolate-end'
  wait_until 20 is_removed
}

@test "what the guest was shown can be unmounted as soon as isolate has ended" {
  mkdir "$SCRATCH/shown"
  mount -t tmpfs tmpfs "$SCRATCH/shown"
  run_and_look "umount '$SCRATCH/shown' && ls \$pool/trash | wc -l" -d "$SCRATCH/shown:/shown"
  expect_output $'done\n1'
}

@test "if that process is killed, the next runs remove the clone" {
  run_and_look 'kill -KILL $(remover)'
  ! is_removed || complain "it was faster than the signal"
  wait_until 20 a_run_removes_it || complain "$(ls "$(pool)"/*)"
}
a_run_removes_it() { isolate -q --sync -z debian true && is_removed; }

@test "isolatectl gc waits for the removal" {
  run_and_look "ls \$pool/trash | wc -l; ${CALLER[*]} $ISOLATECTL --store $STORE gc; ls \$pool/trash | wc -l"
  expect_output $'done\n1\n0'
  is_removed || complain "$(ls "$(pool)"/*)"
}

@test "gc and template remove report a clone that is still being removed" {
  local stopped gc
  run_and_look 'kill -STOP $(remover)'
  stopped=$(cat "$(pool)/ended")
  STARTED+=("$stopped")
  # Each waits ten seconds, so they wait at the same time.
  fails_plainly 1 isolatectl 'still being removed' -- isolatectl gc &
  gc=$!
  fails_plainly 1 isolatectl 'still being removed' -- isolatectl template remove debian
  wait "$gc"
  kill -CONT "$stopped"
  succeeds isolatectl gc
  is_removed || complain "$(ls "$(pool)"/*)"
}

@test "if eight clones are waiting to be removed, a run removes its own clone before it ends" {
  local number file lock
  # The locks stand for the processes that are removing these clones.
  for number in {1..8}; do
    file=$(pool)/trash/debian-$MARK-$number
    as_caller touch "$file"
    exec {lock}<"$file"
    flock "$lock"
  done
  rm -f "$(pool)/ended"
  succeeds isolate -q -z debian true
  [[ $(ls "$STORE/clones") == "" ]] || complain "$(ls "$STORE/clones")"
  [[ ! -e $(pool)/ended ]] || complain "a process of its own has removed the clone"
  rm -f "$(pool)/trash/debian-$MARK-"*
}

# The first process of this pid namespace waits only for processes that it has started itself.
@test "where nobody reaps orphans, runs leave few zombies" {
  [[ $IDENTITY == root ]] || return 0
  succeeds unshare --pid --fork --kill-child --mount-proc python3 -c '
import os, subprocess, sys, time
for number in range(12):
    subprocess.run(["sh", "-c", "\"$@\"; exit $?", "sh"] + sys.argv[1:], check=True)
zombies = 0
for pid in filter(str.isdigit, os.listdir("/proc")):
    zombies += ") Z " in open(f"/proc/{pid}/stat").read()
print(zombies)' "$ISOLATE" --store "$STORE" -q -z debian true
  # A run that starts before the first child has ended makes one as well.
  [[ $output -ge 1 && $output -le 3 ]] || complain "zombies"
}
