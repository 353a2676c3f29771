# suites: trixie bookworm, short
# The whole way from an empty pool to a system that others use, in the steps of an administrator and of a user, with the
# installed package. Each test continues where the previous one ended.

load vm

teardown() { common_teardown; }

setup_file() {
  # The administrator starts with an empty pool, not with the one that was prepared.
  zpool destroy rpool
  # The links to the disk and its partitions change for a moment after a pool is destroyed.
  udevadm settle
  wait_until 30 zpool create -O mountpoint=none rpool /dev/disk/by-id/virtio-pool
  zfs create -o mountpoint=/isolate rpool/isolate
}

# Runs a command line as a member after a login.
tester() { runuser --login tester --command "$1"; }
# ZFS can map ids from 2.2 on. Before, the root of a member or of a user namespace is read-only.
maps_ids() { [[ $SUITE != bookworm ]]; }

is_full() { pool_is debisl fresh 5 && pool_is debisl waiting 0 && [[ $(number_of_clones debisl) == 5 ]]; }
expect_full() {
  wait_until 90 is_full || complain "$(isolatectl pool list; clones_of debisl
    systemctl status 'isolate_regenerate@debisl.*' isolated.service)"
}
path_unit_is_well() {
  wait_until 30 at_rest || complain "$(systemctl status isolate_regenerate@debisl.service)"
  [[ $(systemctl show --property Result --value isolate_regenerate@debisl.service) == success ]] ||
    complain "$(systemctl status isolate_regenerate@debisl.service)"
  [[ $(systemctl is-active isolate_regenerate@debisl.path) == active ]] ||
    complain "$(systemctl status isolate_regenerate@debisl.path)"
}
at_rest() { [[ $(systemctl is-active isolate_regenerate@debisl.service) == inactive ]]; }
daemon_is() { [[ $(systemctl is-active isolated.service) == "$1" ]]; }

# --- root's set-up ----------------------------------------------------------------------------------------------------

@test "the package has made the group, and the socket listens" {
  succeeds getent group isolate
  [[ $(systemctl is-enabled isolated.socket) == enabled && $(systemctl is-active isolated.socket) == active ]]
  daemon_is inactive
}

@test "zfs create and debootstrap make a template" {
  succeeds zfs create rpool/isolate/debisl
  succeeds debootstrap --no-check-gpg --variant=minbase bookworm /isolate/debisl file:///opt/mirror
}

@test "without a snapshot the error says in one line how to make one" {
  run --separate-stderr isolate -z rpool/isolate/debisl true
  expect_status 125
  one_error_line isolate
  expect_in_errors snapshot
}

@test "seccomp_wrapper is copied to where the template finds it" {
  succeeds cp /usr/bin/seccomp_wrapper /isolate/debisl/usr/bin/seccomp_wrapper
}

@test "isolate -e chroot -t opens a shell in the template that can install packages" {
  succeeds isolate -e chroot -t /isolate/debisl -d /opt/mirror:/opt/mirror bash <<'SH'
set -e
echo 'deb [trusted=yes] file:///opt/mirror bookworm main' >/etc/apt/sources.list
apt-get -qq update
apt-get -qq install busybox-static >/dev/null 2>&1
echo installed >/etc/installed
SH
  expect_in_errors 'does not isolate'
  [[ -x /isolate/debisl/bin/busybox && $(</isolate/debisl/etc/installed) == installed ]]
}

@test "after zfs snapshot and isolate -r NAME 5, zfs list shows five clones" {
  succeeds zfs snapshot "rpool/isolate/debisl@$(date "+%Y%m%dT%H%M%SZ")"
  succeeds isolate -r rpool/isolate/debisl 5
  succeeds zfs list -r rpool/isolate
  [[ $(awk 'NR > 1 { print $1 }' <<<"$output" | sed -E 's/_[0-9]{19}$/_TIME/' | uniq -c | tr -s ' \n' ' ') == \
    ' 1 rpool/isolate 1 rpool/isolate/debisl 5 rpool/isolate/debisl_TIME ' ]] || complain "structure"
  # A clone takes almost no space, and refers to the data of the template.
  [[ -z $(zfs list -H -p -o used,refer -r rpool/isolate | tail -n 5 | awk '$1 > 1000000 || $2 < 50000000') ]] || complain "sizes"
}

# --- root's own runs --------------------------------------------------------------------------------------------------

@test "root: a command in a clone, with exit status, binds, variables, working directory, network" {
  run isolate -q -z rpool/isolate/debisl sh -c 'exit 7'
  expect_status 7
  mkdir "$SCRATCH/host"
  succeeds isolate -q -z rpool/isolate/debisl -d "$SCRATCH/host:/mnt" -v NAME:value -p /mnt \
    bash -c 'cat /etc/installed; echo "$NAME" >here; pwd'
  expect_output $'installed\n/mnt'
  [[ $(<"$SCRATCH/host/here") == value && $(stat -c %u "$SCRATCH/host/here") == 0 ]]
  succeeds isolate -q -z rpool/isolate/debisl sh -c 'tail -n +3 /proc/net/dev'
  [[ $output == *lo:* && $(wc -l <<<"$output") == 1 ]] || complain "network"
  succeeds isolate -q -n -z rpool/isolate/debisl cat /proc/net/dev
}

@test "root: -u and -g, hooks, -i, -x, with the template's seccomp wrapper and without one" {
  start "$ISOLATE" -q -u 700000 -g 800000 -z rpool/isolate/debisl sh -c "echo ready; exec sleep $MARK"
  wait_until 30 run_is_ready || complain "$(cat "$SCRATCH/err")"
  [[ $(id_of_process "$(pid_of_run)" Uid) == 700000 && $(id_of_process "$(pid_of_run)" Gid) == 800000 ]]
  kill_started TERM
  succeeds env PRE_SPAWN_HOOK='echo before >"$ROOTFS/before"' POST_SPAWN_HOOK='cat "$ROOTFS/after"' \
    "$ISOLATE" -q -e chroot -z rpool/isolate/debisl sh -c 'cat /before; echo after >/after'
  expect_output $'before\nafter'
  succeeds isolate -q --seccomp=none -z rpool/isolate/debisl seccomp_wrapper cat /etc/installed
  expect_output installed
  succeeds env DISABLE_SECCOMP_WRAPPER=1 "$ISOLATE" -q -i -z rpool/isolate/debisl cat /etc/installed
  expect_output installed
  succeeds isolate -x -z rpool/isolate/debisl true
  [[ $(wc -l <<<"$stderr") -gt 10 ]] || complain "no trace"
}

@test "the path unit fires when a run ends, and the pool is full again with other clones" {
  local before
  succeeds isolate -q -r rpool/isolate/debisl 5
  expect_full
  succeeds systemctl enable --now isolate_regenerate@debisl.path
  before=$(clones_of debisl)
  succeeds isolate -q -z rpool/isolate/debisl cat /etc/installed
  wait_until 30 another_clone "$before" || complain "no clone was made"
  expect_full
  path_unit_is_well
  daemon_is inactive
}
another_clone() { [[ -n $(comm -13 <(echo "$1") <(clones_of debisl)) ]]; }

@test "the path unit works with many runs, one after the other and at a time" {
  local number runs=()
  for number in {1..12}; do
    isolate -q -z rpool/isolate/debisl cat /etc/installed 3>&- >/dev/null 2>&1 &
    runs+=("$!")
    sleep 0.3
  done
  for number in "${runs[@]}"; do wait "$number" || complain "a run failed"; done
  expect_full
  path_unit_is_well
}

# --- use by others ----------------------------------------------------------------------------------------------------

@test "a user outside the group gets an error that says how to become a member" {
  run --separate-stderr tester 'isolate -z rpool/isolate/debisl true'
  expect_status 125
  expect_in_errors 'usermod -aG isolate'
}

@test "a member can run clones with each engine" {
  succeeds usermod -aG isolate tester
  succeeds tester 'isolate -q -z rpool/isolate/debisl sh -c "id -u; cat /etc/installed"'
  expect_output $'0\ninstalled'
  succeeds tester 'isolate -q -z rpool/isolate/debisl busybox echo "by apt-get"'
  expect_output 'by apt-get'
  succeeds tester 'isolate -q -e chroot -z rpool/isolate/debisl sh -c "id -u; cat /etc/installed"'
  expect_output $'0\ninstalled'
  run tester 'isolate -q -z rpool/isolate/debisl sh -c "exit 9"'
  expect_status 9
  daemon_is active
}

@test "a member can use files, variables, a working directory and hooks" {
  succeeds tester 'mkdir -p files && cd files && isolate -q -z rpool/isolate/debisl -d "$PWD:/mnt" -v NAME:value -p /mnt \
    sh -c "echo \$NAME >here; pwd"'
  expect_output /mnt
  [[ $(</home/tester/files/here) == value && $(stat -c %U /home/tester/files/here) == tester ]]
  succeeds tester 'POST_SPAWN_HOOK="cat \$ROOTFS/etc/installed" isolate -q -z rpool/isolate/debisl true'
  expect_output installed
}

@test "a member's changes are gone after the run; if ids can't be mapped, the error says so" {
  run --separate-stderr tester 'isolate -q -z rpool/isolate/debisl sh -c "rm -rf /opt 2>/dev/null; touch /new && ls /"'
  if maps_ids; then
    expect_status 0
    [[ $output == *new* && $output != *opt* ]] || complain "not written"
    expect_no_errors
  else
    expect_status 1
    expect_in_errors "can't map ids: the root is read-only"
  fi
  [[ -e /isolate/debisl/etc/installed && ! -e /isolate/debisl/new ]]
  succeeds tester 'isolate -q -z rpool/isolate/debisl sh -c "test ! -e /new && cat /etc/installed"'
  expect_output installed
}

@test "a member's run starts the daemon through its socket, and the daemon fills the pool" {
  local before
  systemctl disable --now isolate_regenerate@debisl.path
  systemctl stop isolated.service
  isolate -q -r rpool/isolate/debisl
  expect_full
  before=$(clones_of debisl)
  succeeds tester 'isolate -q -z rpool/isolate/debisl true'
  daemon_is active
  wait_until 30 another_clone "$before" || complain "no clone was made"
  expect_full
}

@test "the path unit and the daemon work side by side" {
  local number runs=()
  systemctl enable --now isolate_regenerate@debisl.path
  for number in {1..4}; do
    tester 'isolate -q -z rpool/isolate/debisl true' 3>&- >/dev/null 2>&1 &
    runs+=("$!")
    isolate -q -z rpool/isolate/debisl cat /etc/installed 3>&- >/dev/null 2>&1 &
    runs+=("$!")
  done
  for number in "${runs[@]}"; do wait "$number" || complain "a run failed"; done
  expect_full
  path_unit_is_well
  daemon_is active
}

# --- an update --------------------------------------------------------------------------------------------------------

@test "an update: after a shell, a snapshot and isolate -f -r, all runs see it and old clones are gone" {
  local before
  before=$(clones_of debisl)
  isolate -q -e chroot -t /isolate/debisl bash <<<'echo updated >/etc/installed'
  # A snapshot's time stamp counts seconds.
  sleep 1
  succeeds zfs snapshot "rpool/isolate/debisl@$(date "+%Y%m%dT%H%M%SZ")"
  succeeds isolate -f -r rpool/isolate/debisl 5
  succeeds isolate -q -z rpool/isolate/debisl cat /etc/installed
  expect_output updated
  succeeds tester 'isolate -q -z rpool/isolate/debisl cat /etc/installed'
  expect_output updated
  expect_full
  expect_none_in_common "$before" "$(clones_of debisl)"
}

@test "after an update a member's running guest keeps the old generation" {
  start runuser --login tester --command 'cd files && exec isolate -q -z rpool/isolate/debisl -d "$PWD:/mnt" \
    sh -c "echo ready; until test -e /mnt/stop; do sleep 0.2; done; cat /etc/installed"'
  wait_until 30 run_is_ready || complain "$(cat "$SCRATCH/err")"
  isolate -q -e chroot -t /isolate/debisl bash <<<'echo later >/etc/installed'
  sleep 1
  succeeds zfs snapshot "rpool/isolate/debisl@$(date "+%Y%m%dT%H%M%SZ")"
  succeeds isolate -q -f -r rpool/isolate/debisl 5
  succeeds tester 'isolate -q -z rpool/isolate/debisl cat /etc/installed'
  expect_output later
  touch /home/tester/files/stop
  end_of_started
  [[ $STATUS == 0 && $(tail -n 1 "$SCRATCH/out") == updated ]] || complain "$(cat "$SCRATCH/out" "$SCRATCH/err")"
  expect_full
}

# --- without ZFS, and the end -----------------------------------------------------------------------------------------

@test "without ZFS, isolate -t on a directory keeps changes" {
  make_small_root /srv/small
  succeeds isolate -q -t /srv/small sh -c 'echo stays >/stays'
  [[ $(</srv/small/stays) == stays ]]
}

@test "the daemon's hardening refused nothing that it needs" {
  succeeds journalctl --unit isolated.service --boot --no-pager
  [[ $output != *'not permitted'* && $output != *'error: '* ]] || complain "errors in the journal"
}

@test "with the units stopped and the pool drained, only the template is left" {
  succeeds systemctl disable --now isolate_regenerate@debisl.path isolated.socket
  daemon_is inactive
  succeeds isolate -q -f -s -r rpool/isolate/debisl 0
  # Each call destroys for at most three seconds. On a slow machine the next call continues.
  wait_until 60 drained || complain "$(clones_of debisl)"
  [[ $(</isolate/debisl/etc/installed) == later ]]
}
drained() {
  isolate -q -r rpool/isolate/debisl 0 2>/dev/null
  no_clones debisl
}
