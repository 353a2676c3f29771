# suites: trixie bookworm
# --memory, --cpus, --pids and --io-weight on control groups of version 2: as root with and without the tree of groups,
# as a member through the daemon, and as an ordinary user through their own systemd.

load daemon

GROUPS_ROOT=/sys/fs/cgroup
TREE=$GROUPS_ROOT/isolate.slice/isolate-leases.service
LIMITS=(--memory 64M --cpus 0.5 --pids 40)
ALLOCATE='$x = "a" x (200 << 20); print length $x'
CALLER=(env -i XDG_RUNTIME_DIR=/run/user/1000 "${CALLER[@]:2}")

setup_file() {
  set_up_service 2
  loginctl enable-linger tester
  wait_until 30 test -S /run/user/1000/systemd/private
  make_small_root "$WORK/small"
  as_caller isolatectl -q template create small --from "$WORK/small"
}
teardown_file() {
  take_down_service
  as_caller isolatectl -q template remove small
  loginctl disable-linger tester
}
setup() {
  common_setup
  systemctl start isolated.socket isolated.service
}
teardown() {
  local status=0
  end_with_full_pool 2 || status=1
  wait_until 20 no_groups || complain "groups are left: $(groups_left)" || status=1
  return "$status"
}

become_root() { words_of_caller 0 0 /root; }
without_tree() {
  systemctl stop isolated.socket isolated.service isolate-leases.service
  [[ ! -e $TREE ]] || complain "the tree still exists: $(find "$TREE")"
}
groups_left() { find "$GROUPS_ROOT" -type d \( -name 'lease-*' -o -name 'supervisor-*' -o -name 'isolate-*.scope' \); }
no_groups() { [[ -z $(groups_left) ]]; }
group_of() { echo "$GROUPS_ROOT$(sed -n 's/^0:://p' "/proc/$1/cgroup")"; }
# Prints the group with the limits of the waiting run. The guest is in a group below it.
limit_group() {
  local guest
  guest=$(group_of "$(pid_of_run)")
  [[ $guest == */lease-*/guest ]] || complain "the guest is in $guest"
  echo "${guest%/guest}"
}
# expect_in_group FILE TEXT: expects that content in a file of the group.
expect_in_group() { [[ $(<"$GROUP/$1") == "$2" ]] || complain "$1 of $GROUP is $(<"$GROUP/$1") instead of $2"; }
# Expects that the limits are set and apply to the whole guest, but not to isolate.
expect_limits() {
  GROUP=$(limit_group)
  expect_in_group memory.max 67108864
  expect_in_group memory.swap.max 0
  expect_in_group cpu.max '50000 100000'
  expect_in_group pids.max 40
  [[ $(group_of "$STARTED_PID") != "$GROUP"* ]] || complain "isolate itself has the limits"
  [[ $(<"$GROUP/pids.current") -ge 2 && $(<"$GROUP/pids.current") -le 6 ]] || complain "processes: $(cat "$GROUP/guest/cgroup.procs")"
}
expect_killed_for_memory() {
  run --separate-stderr as_caller "$ISOLATE" -q --memory 64M "$@"
  expect_status 137
  expect_output ''
  # The chroot engine prints another warning before this one.
  [[ ${stderr_lines[-1]} == 'isolate: warning: killed: --memory 64.0 MiB was not enough' ]] || complain "the warning"
}

@test "root without the tree: isolate makes a systemd scope, and nothing of it is left" {
  without_tree
  become_root
  start_run "${LIMITS[@]}" --io-weight 200 -z "$DATASET" -- true
  expect_limits
  [[ $GROUP == "$GROUPS_ROOT"/system.slice/isolate-*.scope/lease-* ]] || complain "$GROUP"
  expect_in_group io.weight 'default 200'
  kill_started TERM
  [[ $STATUS == 143 ]]
  [[ ! -e $GROUP ]] || complain "the run did not remove it"
  wait_until 10 no_groups || complain "left: $(groups_left)"
}

@test "root with the tree: the group is in it, and isolate stays in its own group" {
  become_root
  start_run "${LIMITS[@]}" --io-weight 200 -z "$DATASET" -- true
  expect_limits
  [[ $GROUP == "$TREE"/lease-debisl_* ]] || complain "$GROUP"
  expect_in_group io.weight 'default 200'
  [[ $(group_of "$STARTED_PID") == "$(group_of $$)" ]]
  kill_started TERM
  [[ ! -e $GROUP ]] || complain "the run did not remove it"
}

# Moving would take the kernel 1 to 30 ms. A launcher that moves takes the step a second time.
@test "root: the launcher is born in the group and does not move there" {
  become_root
  run --separate-stderr as_caller "$ISOLATE" -x --memory 64M -z "$DATASET" true
  expect_status 0
  [[ $(grep -c '^+ step control-group$' <<<"$stderr") == 1 ]] || complain "it moved"
}

@test "a member: the daemon makes the group, which belongs to root" {
  start_run "${LIMITS[@]}" --io-weight 200 -z zfs:debisl -- true
  expect_limits
  [[ $GROUP == "$TREE/lease-$(leased_clone)" ]] || complain "$GROUP"
  expect_in_group io.weight 'default 200'
  [[ -z $(find "$GROUP" ! -user root) ]] || complain "$(find "$GROUP" ! -user root)"
  refute as_caller sh -c 'echo max >"$0"' "$GROUP/memory.max"
  refute as_caller sh -c 'echo $$ >"$0"' "$GROUP/cgroup.procs"
  refute as_caller flock --nonblock "$GROUP" true
  kill_started TERM
  [[ $STATUS == 143 ]]
  wait_until 20 no_groups || complain "left: $(groups_left)"
}

@test "a user: isolate makes a scope of the user's own systemd" {
  start_run "${LIMITS[@]}" -z small -- true
  expect_limits
  [[ $GROUP == "$GROUPS_ROOT"/user.slice/user-1000.slice/user@1000.service/*/isolate-*.scope/lease-* ]] || complain "$GROUP"
  kill_started TERM
  [[ $STATUS == 143 ]]
  [[ ! -e $GROUP ]] || complain "the run did not remove it"
}

@test "if a user may not use a controller, the error names it, and nothing runs" {
  local controllers
  controllers=$(<"$GROUPS_ROOT/user.slice/user-1000.slice/user@1000.service/cgroup.controllers")
  run --separate-stderr as_caller "$ISOLATE" -q --io-weight 200 -d "$SCRATCH:/mnt" -z small touch /mnt/ran
  if [[ " $controllers " == *' io '* ]]; then
    expect_status 0
  else
    expect_status 125
    one_error_line isolate
    expect_in_errors "'io'"
    [[ ! -e $SCRATCH/ran ]]
  fi
}

@test "a user without their own systemd gets one error line, and nothing runs" {
  run --separate-stderr as_caller env -u XDG_RUNTIME_DIR "$ISOLATE" -q --pids 40 -d "$SCRATCH:/mnt" -z small touch /mnt/ran
  expect_status 125
  one_error_line isolate
  expect_in_errors XDG_RUNTIME_DIR
  [[ ! -e $SCRATCH/ran ]]
}

@test "a member of a daemon without the tree gets one error line and no clone" {
  systemctl stop isolate-leases.service
  run --separate-stderr member -q --memory 64M -z zfs:debisl true
  expect_status 125
  one_error_line isolate
  expect_in_errors 'systemctl start isolate-leases.service'
}

# in_group_without_systemd COMMAND...: replaces the shell by a command of root in its own control group, without a
# visible systemd.
in_group_without_systemd() {
  exec systemd-run --quiet --collect --scope --property=Delegate=yes --unit=without-systemd unshare --mount --propagation slave \
    sh -c 'mount -t tmpfs none /run/systemd && exec "$@"' sh "$@"
}

@test "root without systemd: the group is below isolate's own, if no other process is in that" {
  without_tree
  become_root
  CALLER=(in_group_without_systemd "${CALLER[@]}")
  start_run "${LIMITS[@]}" --io-weight 200 -z "$DATASET" -- true
  GROUP=$(limit_group)
  [[ $GROUP == "$GROUPS_ROOT"/system.slice/without-systemd.scope/lease-debisl_* ]] || complain "$GROUP"
  expect_in_group memory.max 67108864
  expect_in_group io.weight 'default 200'
  kill_started TERM
  [[ $STATUS == 143 ]]
  wait_until 10 no_groups || complain "left: $(groups_left)"
  run --separate-stderr in_group_without_systemd sh -c '"$@"; exit $?' sh "$ISOLATE" -q --pids 40 -z "$DATASET" true
  expect_status 125
  one_error_line isolate
  expect_in_errors 'other processes'
  wait_until 10 no_groups || complain "left: $(groups_left)"
}

@test "a daemon without systemd makes its own group the tree" {
  local daemon
  without_tree
  in_group_without_systemd isolated -q >"$SCRATCH/daemon" 2>&1 3>&- &
  daemon=$!
  STARTED+=("$daemon")
  wait_until 20 test -S /run/isolate/org.isolate.Manager || complain "$(cat "$SCRATCH/daemon")"
  start_run "${LIMITS[@]}" -z zfs:debisl -- true
  expect_limits
  [[ $GROUP == "$GROUPS_ROOT"/system.slice/without-systemd.scope/lease-debisl_* ]] || complain "$GROUP"
  [[ $(group_of "$daemon") == "$GROUPS_ROOT/system.slice/without-systemd.scope/keeper" ]] || complain "$(group_of "$daemon")"
  kill_started TERM
  wait_until 20 no_groups || complain "left: $(groups_left)"
  kill -TERM "$daemon"
  wait "$daemon" || complain "$(cat "$SCRATCH/daemon")"
}

@test "R3: a command that takes more memory is killed, and isolate reports it" {
  succeeds in_clone_of_member perl -e "$ALLOCATE"
  expect_output 209715200
  [[ $stderr != *killed* ]] || complain "killed without a limit"
  expect_killed_for_memory -z zfs:debisl perl -e "$ALLOCATE"
  expect_killed_for_memory -z zfs:debisl -e chroot perl -e "$ALLOCATE"
  run --separate-stderr member -q --memory 64M -z zfs:debisl sh -c 'perl -e "$0" || exit 3' "$ALLOCATE"
  expect_status 3
  expect_in_errors 'a process of the guest was killed: --memory 64.0 MiB was not enough'
  become_root
  expect_killed_for_memory -z "$DATASET" perl -e "$ALLOCATE"
  expect_killed_for_memory -z "$DATASET" -e chroot perl -e "$ALLOCATE"
}

@test "R3: files in /tmp and /dev/shm count as memory" {
  expect_killed_for_memory -z small sh -c 'cat /dev/zero >/tmp/file'
}

@test "the smallest allowed --memory is enough to start, and running out of it is reported" {
  succeeds as_caller "$ISOLATE" -q --memory 6M -z small sh -c 'echo on'
  expect_output on
  run --separate-stderr as_caller "$ISOLATE" -q --memory 6M -z small sh -c 'cat /dev/zero >/tmp/file'
  expect_status 137
  expect_in_errors 'killed: --memory 6.0 MiB was not enough'
}

@test "--status-fd and --timings report a kill for memory, --dry-run prints the limits" {
  become_root
  as_caller sh -c 'exec 9>"$0"; shift; exec "$@"' "$SCRATCH/status" x "$ISOLATE" -q --timings --status-fd 9 --memory 64M \
    -z "$DATASET" perl -e "$ALLOCATE" 2>"$SCRATCH/timings" || true
  jq -se '.[-1] == {event: "ended", signal: 9, outOfMemory: true}' "$SCRATCH/status" || complain "$(cat "$SCRATCH/status")"
  [[ $(grep -cE '^timing: (limits|limit-group|control-group|limit-group-end) [0-9]+$' "$SCRATCH/timings") == 4 ]] || complain "$(cat "$SCRATCH/timings")"
  run --separate-stderr as_caller "$ISOLATE" --dry-run "${LIMITS[@]}" --io-weight 7 -t "$WORK/small" true
  expect_status 0
  expect_in_output 'limit: memory 67108864 bytes, no swap'
  expect_in_output 'limit: processors 50000 of each 100000 microseconds'
  expect_in_output 'limit: processes of the guest 40'
  expect_in_output 'limit: weight 7 for disks'
  expect_in_output "control group: in $TREE"
}

@test "--cpus: two busy processes get half a processor together" {
  local before after began ended
  start_run --cpus 0.5 -z zfs:debisl -- 'yes >/dev/null & yes >/dev/null & true'
  GROUP=$(limit_group)
  sleep 1
  began=${EPOCHREALTIME/./} before=$(used_by_group)
  sleep 5
  after=$(used_by_group) ended=${EPOCHREALTIME/./}
  # At most 1.3 times half of the elapsed time, and at least a fifth of it.
  ((after - before <= (ended - began) * 65 / 100)) || complain "$((after - before)) of $((ended - began)) microseconds"
  ((after - before >= (ended - began) / 5)) || complain "they are not busy: $((after - before)) of $((ended - began))"
  kill_started TERM
}
used_by_group() { awk '$1 == "usage_usec" { print $2 }' "$GROUP/cpu.stat"; }

@test "R1: --pids stops a fork bomb, and the host continues" {
  start_run --pids 30 -z zfs:debisl -- 'perl -e "while (1) { fork // sleep 1 }" & true'
  GROUP=$(limit_group)
  wait_until 20 has_hit_limit || complain "$(cat "$GROUP/pids.events")"
  [[ $(<"$GROUP/pids.current") -le 30 ]]
  [[ $(for _ in {1..50}; do /bin/echo on; done | wc -l) == 50 ]]
  kill_started TERM
  wait_until 20 no_groups || complain "left: $(groups_left)"
}
has_hit_limit() { [[ $(awk '{ print $2 }' "$GROUP/pids.events") -gt 0 ]]; }

@test "R4: a guest that can mount sees the group below its limits, and nothing above" {
  local who
  for who in root user; do
    if [[ $who == root ]]; then become_root; else words_of_lingering; fi
    start_run "${LIMITS[@]}" --cap-add SYS_ADMIN --seccomp tty -z "$(template_of_this_user "$who")" -- \
      'cat /proc/self/cgroup; mount -t cgroup2 none /tmp; cat /tmp/cgroup.procs && echo mounted
       for file in memory.max pids.max cpu.max; do echo max >/tmp/$file && echo "wrote $file"; done; true'
    GROUP=$(limit_group)
    grep -qx '0::/' "$SCRATCH/out" || complain "$(cat "$SCRATCH/out")"
    grep -qx mounted "$SCRATCH/out" || complain "the guest could not mount: $(cat "$SCRATCH/out" "$SCRATCH/err")"
    refute grep -Ev '^(0::/|[0-9]+|mounted|ready)$' "$SCRATCH/out"
    expect_limits
    kill_started TERM
  done
}
words_of_lingering() {
  words_of_caller 1000 1000 /home/tester
  CALLER=(env -i XDG_RUNTIME_DIR=/run/user/1000 "${CALLER[@]:2}")
}
template_of_this_user() { if [[ $1 == root ]]; then echo "$DATASET"; else echo small; fi; }

# enter_group LEASE WORDS...: asks the daemon to enter a group, as a member or anybody else may.
enter_group() {
  local lease=$1
  shift
  "$@" perl -MIO::Socket::UNIX -e '
    my $socket = IO::Socket::UNIX->new(Peer => "/run/isolate/org.isolate.Manager") or die "refused\n";
    print $socket qq({"method":"org.isolate.Manager.EnterGroup","parameters":{"lease":"$ARGV[0]"}}\0);
    $/ = "\0"; print scalar <$socket>' "$lease"
}

@test "nobody enters another's group, a group twice, or a group that does not exist" {
  local clone other before
  useradd --no-create-home --groups isolate second
  start_run "${LIMITS[@]}" -z zfs:debisl -- true
  clone=$(leased_clone)
  GROUP=$(limit_group)
  before=$(<"$GROUP/guest/cgroup.procs")
  other=(setpriv --reuid second --regid second --init-groups)
  [[ $(enter_group "$clone" "${other[@]}") == *"you have no lease"* ]] || complain "another member entered the group"
  [[ $(enter_group "$clone" env) == *"you have no lease"* ]] || complain "root entered the group"
  [[ $(enter_group "$clone" as_caller) == *"entered already"* ]] || complain "the member entered it twice"
  [[ $(enter_group debisl_1 as_caller) == *"you have no lease"* ]] || complain "a group that does not exist"
  [[ $(enter_group ../keeper as_caller) == *InvalidParameter* ]] || complain "a path"
  [[ $(<"$GROUP/guest/cgroup.procs") == "$before" ]]
  kill_started TERM
  userdel second
}

@test "limits hold while the daemon is restarted or killed, and the next daemon removes the group" {
  local before
  start_run "${LIMITS[@]}" -z zfs:debisl -- true
  succeeds systemctl restart isolated.service
  expect_limits
  before=$(pid_of_daemon)
  kill -KILL "$before"
  wait_until 20 daemon_is_another "$before" || complain "$(systemctl status isolated.service)"
  expect_limits
  kill_started TERM
  [[ $STATUS == 143 ]]
  wait_until 20 no_groups || complain "left: $(groups_left)"
}

@test "after SIGKILL of isolate nothing is left" {
  start_run "${LIMITS[@]}" -z zfs:debisl -- true
  kill_started KILL
  wait_until 20 no_groups || complain "left of a member's: $(groups_left)"
  start_run "${LIMITS[@]}" -z small -- true
  kill_started KILL
  wait_until 20 no_groups || complain "left of a user's: $(groups_left)"
  become_root
  start_run "${LIMITS[@]}" -z "$DATASET" -- true
  kill_started KILL
  wait_until 5 no_process_with "^sleep $MARK" || complain "the guest is still running"
  succeeds as_caller "$ISOLATE" -q "${LIMITS[@]}" -z "$DATASET" true
  no_groups || complain "left of root's: $(groups_left)"
}

@test "limits hold if the keeper dies under a guest, and a new keeper starts" {
  start_run "${LIMITS[@]}" -z zfs:debisl -- true
  kill -KILL "$(systemctl show --property MainPID --value isolate-leases.service)"
  sleep 1
  expect_limits
  kill_started TERM
  wait_until 20 no_groups || complain "left: $(groups_left)"
  wait_until 30 keeper_works || complain "$(systemctl status isolate-leases.service)"
  succeeds member -q --memory 64M -z zfs:debisl true
}
keeper_works() { [[ $(systemctl is-active isolate-leases.service) == active && -d $TREE/keeper ]]; }

@test "systemd-analyze finds no fault, and the hardening refused the services nothing" {
  succeeds systemd-analyze verify --man=no /usr/lib/systemd/system/isolate-leases.service
  expect_output ''
  expect_no_errors
  succeeds journalctl --unit isolated.service --boot --no-pager
  [[ $output != *'not permitted'* && $output != *'error: '* ]] || complain "errors in the journal"
}
