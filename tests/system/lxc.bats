# variants: root-bwrap user-bwrap: ids and control groups differ; each test names the engine itself
# The LXC engine: what it has of its own. That it does what bwrap does is tested where bwrap is.

load helpers

in_lxc() { isolate -q -e lxc -z debian "$@"; }
start_lxc() {
  start_isolate -q -e lxc -z debian "$@" sleep "$MARK"
  wait_until 10 a_guest_sleeps
}

# All that LXC may have made anywhere for a clone: groups, containers, locks, files.
traces_of() { find /sys/fs/cgroup /run /var/lib/lxc /var/lock /var/log /tmp "$CALLER_HOME" -name "*$1*" 2>/dev/null; }
no_traces_of() { [[ -z $(traces_of "$1") ]]; }

@test "a container with the exit status, ids and host name of the run" {
  run -9 in_lxc sh -c 'id -u; uname -n; exit 9'
  [[ ${lines[0]} == 0 && ${lines[1]} == debian-* ]] || complain "not as with bwrap"
}

@test "programs find the processors of the machine in /sys, where no init gets LXC's own" {
  succeeds in_lxc sh -c 'cat /sys/devices/system/cpu/online; lscpu'
  expect_in_output "$(cat /sys/devices/system/cpu/online)"
  expect_in_output Architecture
}

@test "LXC leaves nothing behind, also when it is killed" {
  local clone
  start_lxc
  clone=$(ls "$STORE/pools/debian/leased")
  [[ $IDENTITY == user ]] || refute no_traces_of "$clone"
  kill_started TERM
  no_traces_of "$clone" || complain "$(traces_of "$clone")"
  start_lxc
  clone=$(ls "$STORE/pools/debian/leased")
  kill_started KILL
  wait_until 2 no_process_with "$MARK"
  # What a killed one could not remove goes with a later run.
  wait_until 5 the_next_run_tidies_up "$clone" || complain "$(traces_of "$clone")"
}
the_next_run_tidies_up() { in_lxc true && no_traces_of "$1"; }

# Of this test's clone: other tests may run at the same time.
listens_in_the_hosts_network() { grep -q "lxc/rootfs/state/$(ls "$STORE/pools/debian/leased")/" /proc/net/unix; }

@test "LXC's socket is in nobody's reach; with -n it is in the host's network" {
  start_lxc
  ! listens_in_the_hosts_network || complain "a socket of LXC's"
  kill_started TERM
  start_lxc -n
  listens_in_the_hosts_network || complain "no socket of LXC's: the test above shows nothing"
  kill_started TERM
}

@test "20 containers at a time" {
  local number
  for number in {1..20}; do start_isolate -q -e lxc -z debian sh -c "echo $number >/mark; sleep $MARK"; done
  wait_until 30 eval '[[ $(processes_with "^sleep $MARK" | wc -l) == 20 ]]' || complain "only $(processes_with "^sleep $MARK" | wc -l)"
  for number in "${STARTED[@]}"; do kill "$number"; done
  wait_until 10 no_process_with "$MARK"
}

@test "without LXC there is one line that says what to install" {
  local folder
  folder=$(pkg-config --variable=libdir lxc)/lxc
  fails_plainly 125 isolate liblxc-common -- in_private_mounts "mount -t tmpfs none $folder" "$ISOLATE" \
    --store "$STORE" -e lxc -z debian true
}

@test "whatever times of access the mount of the root keeps" {
  local times
  for times in noatime strictatime relatime; do
    succeeds in_private_mounts "mount --bind '$TREE' '$TREE' && mount -o 'remount,bind,$times' '$TREE'" \
      "$ISOLATE" -q -e lxc -t "$TREE" sh -c 'sed -n "s/^[^ ]* \/ .* \(rw\|ro\)/\1/p" /proc/self/mounts'
    [[ $times == strictatime || ${lines[0]} == *",$times"* ]] || complain "$times"
  done
}
