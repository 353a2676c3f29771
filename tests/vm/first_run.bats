# suites: trixie
# From an empty pool to a running system, in the steps and words of an administrator: each test goes on where the one
# before has ended.

load vm

teardown() { common_teardown; }

setup_file() {
  # What the guest was prepared with is not the administrator's.
  zpool destroy rpool
  zpool create -O mountpoint=none rpool /dev/disk/by-id/virtio-pool
  zfs create -o mountpoint=/isolate rpool/isolate
  # Stands in for debootstrap, which would want a network.
  printf '#!/bin/sh\nexec tar --extract --numeric-owner --preserve-permissions --exclude "./dev/*" --file %s --directory "$1"\n' \
    "$TARBALL" >/usr/local/sbin/debootstrap
  chmod 0755 /usr/local/sbin/debootstrap
}

@test "before the group exists, isolate -r says how to make it" {
  run --separate-stderr isolate -r rpool/isolate/debisl 5
  expect_status 125
  expect_in_errors 'groupadd --system isolate'
}

@test "a group, a dataset, a Debian in it, and what a root of one's own confinement needs" {
  succeeds groupadd --system isolate
  succeeds usermod -aG isolate tester
  succeeds zfs create rpool/isolate/debisl
  succeeds debootstrap /isolate/debisl
  succeeds cp /usr/bin/seccomp_wrapper /isolate/debisl/usr/bin/seccomp_wrapper
}

@test "without a snapshot there is no generation: one line says how to make it" {
  run --separate-stderr isolate -z rpool/isolate/debisl true
  expect_status 125
  one_error_line isolate
  expect_in_errors snapshot
}

@test "isolate -e chroot -t: what is installed there stays" {
  succeeds isolate -e chroot -t /isolate/debisl bash -c 'echo installed >/etc/installed; id -u; dpkg --audit'
  expect_output 0
  expect_in_errors 'does not isolate'
  [[ $(</isolate/debisl/etc/installed) == installed ]]
}

@test "a snapshot, and isolate -r NAME 5: five datasets NAME_NANOSECONDS" {
  succeeds zfs snapshot "rpool/isolate/debisl@$(date "+%Y%m%dT%H%M%SZ")"
  succeeds isolate -r rpool/isolate/debisl 5
  [[ $(zfs list -H -o name -r rpool/isolate | grep -cE '^rpool/isolate/debisl_[0-9]{19}$') == 5 ]] || complain "$(zfs list)"
}

@test "a command in a clone: exit status, binds, variables, working directory, network" {
  run isolate -q -z rpool/isolate/debisl sh -c 'exit 7'
  expect_status 7
  mkdir "$SCRATCH/host"
  succeeds isolate -q -z rpool/isolate/debisl -d "$SCRATCH/host:/mnt/host" -v NAME:value -p /mnt/host \
    bash -c 'cat /etc/installed; echo "$NAME" >here; pwd'
  expect_output $'installed\n/mnt/host'
  [[ $(<"$SCRATCH/host/here") == value && $(stat -c %u "$SCRATCH/host/here") == 0 ]]
  succeeds isolate -q -z rpool/isolate/debisl sh -c 'ls /sys/class/net 2>/dev/null || tail -n +3 /proc/net/dev'
  [[ $output == *lo* ]]
  succeeds isolate -q -n -z rpool/isolate/debisl cat /proc/net/dev
}

@test "-u and -g: ids of one's choice outside, the template's inside" {
  start "$ISOLATE" -q -u 700000 -g 800000 -z rpool/isolate/debisl sh -c "stat -c %u:%g /etc; echo ready; exec sleep $MARK"
  wait_until 30 run_is_ready || complain "$(cat "$SCRATCH/err")"
  [[ $(head -n 1 "$SCRATCH/out") == 0:0 ]]
  [[ $(id_of_process "$(pid_of_run)" Uid) == 700000 && $(id_of_process "$(pid_of_run)" Gid) == 800000 ]]
  kill_started TERM
}

@test "the seccomp wrapper works in the template, also on its own" {
  succeeds isolate -q --seccomp=none -z rpool/isolate/debisl seccomp_wrapper cat /etc/installed
  expect_output installed
}

@test "hooks" {
  succeeds env PRE_SPAWN_HOOK='echo before >"$ROOTFS/before"' POST_SPAWN_HOOK='cat "$ROOTFS/after"' \
    "$ISOLATE" -q -z rpool/isolate/debisl sh -c 'cat /before; echo after >/after'
  expect_output $'before\nafter'
}

@test "units: a run ends, the path unit fires, the pool is full again" {
  local before
  succeeds cp "$DATA/systemd/isolate_regenerate@.path" "$DATA/systemd/isolate_regenerate@.service" /etc/systemd/system
  succeeds systemctl enable --now isolate_regenerate@debisl.path
  succeeds isolate -q -r rpool/isolate/debisl 5
  before=$(clones_of debisl)
  succeeds isolate -q -z rpool/isolate/debisl touch /used
  wait_until 60 is_full || complain "$(systemctl status 'isolate_regenerate@debisl.*' 2>&1; isolatectl pool list)"
  [[ -n $(comm -23 <(echo "$before") <(clones_of debisl)) ]] || complain "the same clones"
  unit_is_well
}
is_full() { pool_is debisl fresh 5 && pool_is debisl waiting 0 && [[ $(number_of_clones debisl) == 5 ]] && at_rest; }
at_rest() { [[ $(systemctl is-active isolate_regenerate@debisl.service) == inactive ]]; }
unit_is_well() {
  [[ $(systemctl show --property Result --value isolate_regenerate@debisl.service) == success ]] ||
    complain "$(systemctl status isolate_regenerate@debisl.service)"
  [[ $(systemctl is-active isolate_regenerate@debisl.path) == active ]] ||
    complain "$(systemctl status isolate_regenerate@debisl.path)"
}

@test "units: many runs, one after the other and at a time, and the pool is full again" {
  local number runs=()
  for number in {1..12}; do
    isolate -q -z rpool/isolate/debisl sh -c 'test ! -e /used && touch /used' 3>&- &
    runs+=("$!")
    sleep 0.3
  done
  for number in "${runs[@]}"; do wait "$number" || complain "a run failed"; done
  wait_until 90 is_full || complain "$(systemctl status 'isolate_regenerate@debisl.*' 2>&1; isolatectl pool list)"
  unit_is_well
}

@test "an update: change, snapshot, isolate -f -r; runs see it, the clones of before are gone" {
  local before
  before=$(clones_of debisl)
  succeeds isolate -q -e chroot -t /isolate/debisl bash -c 'echo updated >/etc/installed'
  # A snapshot's stamp counts seconds.
  sleep 1
  succeeds zfs snapshot "rpool/isolate/debisl@$(date "+%Y%m%dT%H%M%SZ")"
  succeeds isolate -f -r rpool/isolate/debisl 5
  succeeds isolate -q -z rpool/isolate/debisl cat /etc/installed
  expect_output updated
  wait_until 60 is_full || complain "$(isolatectl pool list)"
  expect_none_in_common "$before" "$(clones_of debisl)"
}

@test "without ZFS: isolate -t on a directory, where changes stay" {
  make_small_root /srv/small
  succeeds isolate -q -t /srv/small sh -c 'echo stays >/stays'
  [[ $(</srv/small/stays) == stays ]]
}

@test "at the end: the pool drained, nothing is left but the template" {
  succeeds systemctl disable --now isolate_regenerate@debisl.path
  succeeds isolate -q -f -s -r rpool/isolate/debisl 0
  no_clones debisl || complain "$(clones_of debisl)"
}
