# suites: trixie
# Without user namespaces for ordinary users, members can still run clones of the daemon, with each engine and without a
# warning, and all others get an error with the reason. Two switches are tested: Debian's
# kernel.unprivileged_userns_clone, with which nobody, not even root, can make a nested user namespace, and
# user.max_user_namespaces, which applies to root as well. This kernel does not have Ubuntu's
# kernel.apparmor_restrict_unprivileged_userns, so it is not tested.

load daemon

setup_file() {
  set_up_service 2
  make_small_root "$WORK/small"
  as_caller isolatectl -q template create small --from "$WORK/small"
  isolatectl -q template create booted --from "$SYSTEM_TARBALL"
  isolate -q -r overlay:booted 0
}
teardown_file() {
  as_caller isolatectl -q template remove small
  isolatectl -q template remove booted
  take_down_service
}
setup() {
  common_setup
  NAMESPACES=$(sysctl -n user.max_user_namespaces)
}
teardown() {
  local status=0
  sysctl -q kernel.unprivileged_userns_clone=1 "user.max_user_namespaces=$NAMESPACES"
  end_with_full_pool 2 || status=1
  wait_until 20 no_groups || complain "groups are left: $(groups_left)" || status=1
  return "$status"
}
groups_left() { find /sys/fs/cgroup -type d -name 'lease-*'; }
no_groups() { [[ -z $(groups_left) ]]; }
forbid() { sysctl -q kernel.unprivileged_userns_clone=0; }
# run_in ENGINE OPTION... COMMAND...: runs a command of the member that must succeed without a warning.
run_in() {
  succeeds member -q -e "$1" -z zfs:debisl "${@:2}"
  stderr=$(grep -v 'the chroot engine does not isolate' <<<"$stderr" || true)
  expect_no_errors
}

@test "kernel.unprivileged_userns_clone=0: a member can run the daemon's clones with each engine, without a warning" {
  local engine
  forbid
  for engine in bwrap chroot lxc; do
    run_in "$engine" sh -c 'id -u; touch /new; cat /proc/self/uid_map | wc -l'
    expect_output $'0\n2'
    run_in "$engine" --userns=private sh -c 'id -u; touch /new; chown 1000 /new; stat -c %u /new; cat /proc/self/uid_map | wc -l'
    expect_output $'0\n1000\n1'
  done
}

FORKS='use POSIX; my $n = 0; for my $id (1 .. 60) { my $pid = fork; last unless defined $pid; if (!$pid) { POSIX::setuid(1000 + $id); sleep 60; exit }
  $n++ } print "$n\n"; kill "KILL", -1'
@test "kernel.unprivileged_userns_clone=0: the limit of processes counts all users of a guest, and nobody outside it" {
  local engine
  forbid
  for _ in {1..40}; do start sleep 1000; done
  for engine in bwrap chroot lxc; do
    run --separate-stderr member -q -e "$engine" --ulimit nproc=30 -z zfs:debisl perl -e "$FORKS"
    [[ ${lines[0]} -ge 15 && ${lines[0]} -le 30 ]] || complain "$engine"
  done
  # The smaller limit applies.
  run --separate-stderr member -q --ulimit nproc=30 --pids 20 -z zfs:debisl perl -e "$FORKS"
  [[ ${lines[0]} -ge 5 && ${lines[0]} -le 20 ]] || complain "--pids"
  run_in bwrap --ulimit nproc=unlimited id -u
  run_in bwrap sh -c 'awk "/Max processes/ { print \$3 }" /proc/self/limits'
  expect_output 4096
}

ATTEMPTS='for d in /media /usr; do mount -o remount,bind,rw $d 2>/dev/null && echo remounted $d; umount $d 2>/dev/null && echo unmounted $d; done
  touch /media/no 2>/dev/null && echo written; mount -t tmpfs none /srv && echo mounted; mkdir /srv/x && mount --rbind / /srv/x &&
  mount -o remount,bind,rw /srv/x/media 2>/dev/null && echo in a copy; : >/mnt/yes'
@test "kernel.unprivileged_userns_clone=0: a guest with CAP_SYS_ADMIN mounts, but makes no read-only mount writable" {
  local engine shared=$SCRATCH/shared
  forbid
  for engine in bwrap lxc; do
    install -d -m 0755 -o tester -g tester "$shared"
    run_in "$engine" --cap-add SYS_ADMIN --seccomp=tty -d "$shared:/media:ro" -d "$shared:/mnt" sh -c "$ATTEMPTS"
    expect_output mounted
    [[ -e $shared/yes && ! -e $shared/no ]] || complain "$engine: $(ls "$shared")"
    rm -r "$shared"
    run_in "$engine" --read-only --cap-add SYS_ADMIN sh -c 'mount -o remount,bind,rw / 2>/dev/null; touch /new 2>/dev/null || echo read-only'
    expect_output read-only
  done
}

@test "kernel.unprivileged_userns_clone=0: isolatectl can list, enter and kill such a guest" {
  local engine clone
  forbid
  for engine in bwrap lxc; do
    start_run -e "$engine" --cap-add SYS_ADMIN -z zfs:debisl -- true
    clone=$(leased_clone)
    [[ $(as_caller isolatectl ps --json | jq -r '.[0] | "\(.clone) \(.engine) \(.tasks >= 2)"') == "$clone $engine true" ]] ||
      complain "$(as_caller isolatectl ps --json)"
    succeeds as_caller isolatectl exec "$clone" readlink /proc/self/ns/mnt
    expect_output "$(readlink "/proc/$(pid_of_run)/ns/mnt")"
    succeeds as_caller isolatectl kill "$clone"
    wait_until 20 no_process_with "$MARK"
  done
}

@test "kernel.unprivileged_userns_clone=0: a system boots, and starts services for its users" {
  forbid
  succeeds member -q -e lxc -z overlay:booted sh -c \
    'cat /proc/1/comm; systemd-run --quiet --pipe --wait --uid=65534 sh -c "id -u; cat /proc/self/uid_map | wc -l"'
  expect_output $'systemd\n65534\n2'
  [[ $stderr != *warning* ]] || complain "an unexpected warning"
}

@test "without the daemon the error names the switch, and mentions the daemon" {
  forbid
  isolate_refuses 'kernel.unprivileged_userns_clone is 0' 'group isolate' -- member -q -z small true
}

@test "user.max_user_namespaces=0 gives everybody one error line, with each engine" {
  local engine
  sysctl -q user.max_user_namespaces=0
  for engine in bwrap lxc; do
    isolate_refuses user.max_user_namespaces -- member -q -e "$engine" -z zfs:debisl true
    isolate_refuses user.max_user_namespaces -- member -q -e "$engine" -z small true
    isolate_refuses user.max_user_namespaces -- "$ISOLATE" -q -e "$engine" -z "$DATASET" true
  done
}
