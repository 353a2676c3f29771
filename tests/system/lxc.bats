# variants: root-bwrap user-bwrap: the identities differ in ids and control groups, each test names the engine
# What only the LXC engine does. The tests of the bwrap engine cover what both do.

load helpers

in_lxc() { isolate -q -e lxc -z debian "$@"; }
start_lxc() {
  start_isolate -q -e lxc -z debian "$@" sleep "$MARK"
  wait_until 10 a_guest_sleeps
}

# Prints everything that LXC may have made for a clone: groups, containers, locks, files.
traces_of() { find /sys/fs/cgroup /run /var/lib/lxc /var/lock /var/log /tmp "$CALLER_HOME" -name "*$1*" 2>/dev/null; }
no_traces_of() { [[ -z $(traces_of "$1") ]]; }

@test "a container has the exit status, ids and host name of the run" {
  run -9 in_lxc sh -c 'id -u; uname -n; exit 9'
  [[ ${lines[0]} == 0 && ${lines[1]} == debian-* ]] || complain "not as with bwrap"
}

@test "programs find the machine's processors in /sys, even without an init" {
  succeeds in_lxc sh -c 'cat /sys/devices/system/cpu/online; lscpu'
  expect_in_output "$(cat /sys/devices/system/cpu/online)"
  expect_in_output Architecture
}

@test "LXC leaves nothing behind, even when it is killed" {
  local clone
  start_lxc
  clone=$(ls "$STORE/pools/debian/leased")
  [[ $IDENTITY == user ]] || refute no_traces_of "$clone"
  kill_started TERM
  # The clone is destroyed behind the run, which has its status before.
  wait_until 5 no_traces_of "$clone" || complain "$(traces_of "$clone")"
  start_lxc
  clone=$(ls "$STORE/pools/debian/leased")
  kill_started KILL
  wait_until 2 no_process_with "$MARK"
  # A later run removes what a killed one could not.
  wait_until 5 the_next_run_tidies_up "$clone" || complain "$(traces_of "$clone")"
}
the_next_run_tidies_up() { in_lxc true && no_traces_of "$1"; }

# Look only for this test's clone, because other tests may run at the same time.
listens_in_the_hosts_network() { grep -q "lxc/rootfs/state/$(ls "$STORE/pools/debian/leased")/" /proc/net/unix; }

@test "nobody can reach LXC's socket; with -n it is in the host's network" {
  start_lxc
  ! listens_in_the_hosts_network || complain "LXC listens in the host's network"
  kill_started TERM
  start_lxc -n
  listens_in_the_hosts_network || complain "no socket of LXC's, so the check above proves nothing"
  kill_started TERM
}

@test "20 containers can run at a time" {
  local number
  for number in {1..20}; do start_isolate -q -e lxc -z debian sh -c "echo $number >/mark; sleep $MARK"; done
  wait_until 90 eval '[[ $(processes_with "^sleep $MARK" | wc -l) == 20 ]]' || complain "only $(processes_with "^sleep $MARK" | wc -l)"
  for number in "${STARTED[@]}"; do kill "$number"; done
  wait_until 10 no_process_with "$MARK"
}

@test "without LXC the error says in one line what to install" {
  local folder
  folder=$(pkg-config --variable=libdir lxc)/lxc
  fails_plainly 125 isolate liblxc-common -- in_private_mounts "mount -t tmpfs none $folder" "$ISOLATE" \
    --store "$STORE" -e lxc -z debian true
}

@test "the root's mount keeps its access time options" {
  local times
  for times in noatime strictatime relatime; do
    succeeds in_private_mounts "mount --bind '$TREE' '$TREE' && mount -o 'remount,bind,$times' '$TREE'" \
      "$ISOLATE" -q -e lxc -t "$TREE" sh -c 'sed -n "s/^[^ ]* \/ .* \(rw\|ro\)/\1/p" /proc/self/mounts'
    [[ $times == strictatime || ${lines[0]} == *",$times"* ]] || complain "$times"
  done
}
