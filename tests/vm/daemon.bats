# suites: trixie
# The daemon as a service of systemd, with clones on OpenZFS, for an ordinary user of the group isolate.

load daemon

setup_file() { set_up_service 3; }
teardown_file() { take_down_service; }
teardown() { end_with_full_pool 3; }

@test "systemd-analyze verify finds no fault in the units" {
  succeeds systemd-analyze verify --man=no /usr/lib/systemd/system/isolated.{service,socket} \
    '/usr/lib/systemd/system/isolate_regenerate@debisl.path' '/usr/lib/systemd/system/isolate_regenerate@debisl.service'
  expect_output ''
  expect_no_errors
}

@test "the socket belongs to root and the group, and starts the service for the first client" {
  systemctl stop isolated.service
  [[ $(stat -c %U:%G:%a /run/isolate/org.isolate.Manager) == root:isolate:660 ]]
  [[ $(systemctl is-active isolated.service) == inactive ]]
  succeeds in_clone_of_member true
  [[ $(systemctl is-active isolated.service) == active ]] || complain "$(systemctl status isolated.service)"
}

@test "a member is root over 65536 ids in a ZFS clone" {
  succeeds in_clone_of_member sh -c 'id -u; stat -f -c %T /; stat -c %u:%g / /etc/passwd
    touch /new; chown 33:65535 /new; stat -c %u:%g /new'
  expect_output $'0\nzfs\n0:0\n0:0\n33:65535'
  expect_no_errors
  start_run -z zfs:debisl -- true
  map_of_run
  [[ $MAP =~ ^0\ 1000\ 1\ 1\ 1[0-9]{9}\ 65535$ ]] || complain "map: $MAP"
  kill_started TERM
}

@test "a member is root in a ZFS clone after a login as well" {
  succeeds runuser -l tester -c 'isolate -q -z rpool/isolate/debisl sh -c "id -u; touch /new"'
  expect_output 0
}

@test "with --userns=private no id inside is the caller" {
  succeeds in_clone_of_member --userns=private sh -c 'touch /new; chown 65535 /new; stat -c %u /new'
  expect_output 65535
  start_run --userns=private -z zfs:debisl -- true
  map_of_run
  [[ $MAP =~ ^0\ 1[0-9]{9}\ 65536$ ]] || complain "map: $MAP"
  kill_started TERM
}

@test "a member's files are in the dataset, owned by 0 to 65535 on disk" {
  local clone
  start_run -z zfs:debisl -- 'echo text >/file; touch /other; chown 33:65535 /other; head -c 8388608 /dev/urandom >/large; sync /large'
  clone=$(leased_clone)
  [[ $clone == debisl_* ]] || complain "leased: $clone"
  # Look at a copy of the clone, mounted without an id map.
  zfs snapshot "$PARENT/$clone@look"
  zfs clone -o mountpoint=/mnt/look "$PARENT/$clone@look" "$PARENT/look"
  run stat -c %u:%g /mnt/look/file /mnt/look/other
  zfs destroy "$PARENT/look"
  zfs destroy "$PARENT/$clone@look"
  expect_output $'0:0\n33:65535'
  (($(zfs get -H -p -o value used "$PARENT/$clone") > 8000000)) || complain "$(zfs list)"
  [[ $(id_of_process "$(pid_of_run)" Uid) == 1000 ]]
  kill_started TERM
}

@test "a leased clone appears in its own run's mount table, and in no other" {
  local clone second own other
  start_run -z zfs:debisl -- 'echo one >/number'
  own=$(pid_of_run)
  clone=$PARENT/$(leased_clone)
  MARK=${MARK}1
  start_run -z zfs:debisl -- 'echo two >/number'
  other=$(pid_of_run)
  second=$PARENT/$(leased_clone | grep -vxF "${clone##*/}")
  expect_not_mounted "$clone"
  expect_not_mounted "$second"
  names_clone "$own" "$clone" || complain "$(cat "/proc/$own/mountinfo")"
  names_clone "$other" "$second" || complain "$(cat "/proc/$other/mountinfo")"
  refute names_clone "$own" "$second"
  refute names_clone "$other" "$clone"
  refute names_clone "$STARTED_PID" "$second"
  refute names_clone "$(systemctl show --property MainPID --value isolated.service)" "$second"
  [[ $(on_disk "$clone" cat number) == one && $(on_disk "$second" cat number) == two ]]
  kill "${STARTED[@]}"
  wait "${STARTED[@]}" || true
}

@test "nobody outside can reach the files of a clone" {
  start_run -z zfs:debisl -- 'cp /bin/sh /sh; chown 1:1 /sh; chmod 6755 /sh'
  refute as_caller ls /run/isolate/mounts
  refute as_caller ls /var/lib/isolate
  kill_started TERM
}

@test "a member's run supports binds, hooks and the chroot engine" {
  as_caller mkdir "$SCRATCH/host"
  succeeds in_clone_of_member -d "$SCRATCH/host:/mnt/host" -v NAME=value -p /mnt/host sh -c 'echo "$NAME" >here; pwd'
  expect_output /mnt/host
  [[ $(stat -c %u "$SCRATCH/host/here") == 1000 && $(<"$SCRATCH/host/here") == value ]]
  succeeds as_caller env PRE_SPAWN_HOOK='echo before >"$ROOTFS/root/hook"' POST_SPAWN_HOOK='cat "$ROOTFS/root/after"' \
    "$ISOLATE" -q -z zfs:debisl sh -c 'cat /root/hook; echo after >/root/after'
  expect_output $'before\nafter'
  succeeds in_clone_of_member -e chroot sh -c 'touch /new; stat -c %u /new'
  expect_output 0
}

@test "a pool is full again within a moment, with other clones" {
  local before
  before=$(clones_of debisl)
  succeeds in_clone_of_member touch /used
  expect_full_pool 3
  [[ -n $(comm -23 <(echo "$before") <(clones_of debisl)) ]] || complain "the used clone was not replaced"
  succeeds in_clone_of_member test ! -e /used
}

@test "eight runs at a time work with fewer fresh clones" {
  local number runs=()
  for number in {1..8}; do
    in_clone_of_member sh -c "test ! -e /mark && echo $number >/mark && sleep 0.5 && cat /mark" \
      >>"$SCRATCH/numbers" 2>>"$SCRATCH/errors" 3>&- &
    runs+=("$!")
  done
  wait "${runs[@]}" || true
  [[ $(sort -n "$SCRATCH/numbers" | tr '\n' ' ') == '1 2 3 4 5 6 7 8 ' ]] || complain "$(cat "$SCRATCH/numbers" "$SCRATCH/errors")"
}

@test "after SIGKILL of isolate the guest ends, and the daemon destroys the clone" {
  local clone
  start_run -z zfs:debisl -- true
  clone=$(leased_clone)
  kill_started KILL
  wait_until 5 no_process_with "^sleep $MARK" || complain "the guest is still running"
  expect_full_pool 3
  refute zfs list "$PARENT/$clone"
}

@test "a guest continues and keeps its clone when the service is restarted" {
  local clone before
  start_run -z zfs:debisl -- 'echo text >/file'
  clone=$(leased_clone)
  before=$(pid_of_daemon)
  succeeds systemctl restart isolated.service
  daemon_is_another "$before"
  [[ $(systemctl show --property Result --value isolated.service) == success ]]
  succeeds in_clone_of_member true
  [[ $(leased_clone) == *"$clone"* ]] || complain "the lease is gone"
  a_process_with "^sleep $MARK" || complain "the guest is gone"
  kill_started TERM
  [[ $STATUS == 143 ]]
  expect_full_pool 3
  refute zfs list "$PARENT/$clone"
}

@test "a daemon that is killed is restarted and knows the leases" {
  local before clone
  start_run -z zfs:debisl -- true
  clone=$(leased_clone)
  before=$(pid_of_daemon)
  kill -KILL "$before"
  wait_until 20 daemon_is_another "$before" || complain "$(systemctl status isolated.service)"
  succeeds in_clone_of_member true
  [[ $(leased_clone) == *"$clone"* ]] || complain "the lease is gone"
  kill_started TERM
  expect_full_pool 3
}

@test "a run has neither the control group nor the limits of the service" {
  start_run -z zfs:debisl -- true
  refute grep -q isolated "/proc/$(pid_of_run)/cgroup"
  [[ $(systemctl show --property TasksCurrent --value isolated.service) -lt 20 ]]
  kill_started TERM
}

@test "the hardening is in force, and the service uses the host's mounts" {
  local pid
  systemctl start isolated.service
  pid=$(pid_of_daemon)
  [[ $(id_of_process "$pid" Seccomp) == 2 && $(id_of_process "$pid" NoNewPrivs) == 1 ]] || complain "$(cat "/proc/$pid/status")"
  # The bounding set must not have CAP_NET_ADMIN (12), CAP_SYS_MODULE (16), CAP_SYS_RAWIO (17), CAP_SYS_BOOT (22) and
  # CAP_MKNOD (27).
  (((0x$(id_of_process "$pid" CapBnd) & (1 << 12 | 1 << 16 | 1 << 17 | 1 << 22 | 1 << 27)) == 0)) || complain "CapBnd"
  [[ $(readlink "/proc/$pid/ns/mnt") == "$(readlink /proc/1/ns/mnt)" ]]
}

@test "the service's hardening refused nothing that it needs" {
  succeeds journalctl --unit isolated.service --boot --no-pager
  [[ $output != *'not permitted'* && $output != *'error: '* ]] || complain "errors in the journal"
  [[ $output == *"leased debisl_"*" of debisl to uid 1000"* && $output == *'reaped debisl_'* ]] || complain "no leases"
}

@test "a user outside the group, and a member without a daemon, are refused with advice" {
  run --separate-stderr setpriv --reuid stranger --regid stranger --init-groups env -i HOME=/nonexistent PATH="$PATH" \
    "$ISOLATE" -z zfs:debisl true
  expect_status 125
  expect_in_errors 'usermod -aG isolate'
  systemctl stop isolated.socket isolated.service
  run --separate-stderr member -z zfs:debisl true
  expect_status 125
  one_error_line isolate
  expect_in_errors 'systemctl start isolated.socket'
}

@test "nobody can use a template that root did not register" {
  zfs create "$PARENT/secret"
  make_small_root /isolate/secret
  zfs snapshot "$PARENT/secret@one"
  run --separate-stderr member -z zfs:secret true
  expect_status 125
  expect_in_errors 'isolate -r'
  run --separate-stderr member -z "$PARENT/debisl@x" true
  expect_status 125
  zfs destroy -r "$PARENT/secret"
}

@test "members get a new generation after the next refresh, and each run sees exactly one generation" {
  local before
  before=$(clones_of debisl)
  echo new >/isolate/debisl/generation
  succeeds isolatectl template snapshot zfs:debisl
  succeeds isolate -q -r "$DATASET"
  expect_full_pool 3
  succeeds in_clone_of_member cat /generation
  expect_output new
  expect_none_in_common "$before" "$(clones_of debisl)"
}

@test "isolatectl shows members the daemon's state, and refuses root's operations" {
  succeeds as_caller "$ISOLATECTL" status
  [[ $output == isolated\ * ]]
  succeeds as_caller "$ISOLATECTL" --json pool list
  [[ $(jq -c '[.[] | select(.template == "debisl" or .name == "debisl") | .size]' <<<"$output") == '[3]' ]] || complain "pools"
  start_run -z zfs:debisl -- true
  succeeds as_caller "$ISOLATECTL" ps
  expect_in_output "$(leased_clone)"
  kill_started TERM
  run --separate-stderr as_caller "$ISOLATECTL" pool resize zfs:debisl 1
  expect_status 1
}

@test "root's runs and the daemon share the pool" {
  start_run -z zfs:debisl -- true
  succeeds isolate -q -z "$DATASET" touch /new
  succeeds isolatectl pool resize zfs:debisl 4
  expect_pool debisl leased 1
  kill_started TERM
  expect_full_pool 4
  succeeds isolatectl pool resize zfs:debisl 3
}
