# variants: root-bwrap: the daemon serves only root's stores
# Members who may not make user namespaces can still run clones of the daemon: under a system call filter, such as that
# of a container, and even if the daemon can't make one below the lease's ("beside"), as with Debian's sysctl
# kernel.unprivileged_userns_clone. tests/vm/user_namespaces.bats tests that sysctl itself.

load helpers
load stores
load daemon

only_kinds overlay btrfs
SIZE=2

setup_file() { make_daemon "$SIZE"; }
teardown_file() { remove_daemon; }
setup() {
  daemon_setup
  words_of_tool daemon_forbid
  FORBID=("${TOOL[@]}")
  MEMBER=("${HERE[@]}" "${FORBID[@]}" everybody "${MEMBER[@]:${#HERE[@]}}")
}
teardown() {
  local status=0 kind
  daemon_teardown || status=1
  for kind in overlay btrfs; do settles "$kind" "$SIZE" || status=1; done
  stop_daemon || status=1
  return "$status"
}

# be_beside: restarts the daemon so that it can't make a user namespace below that of a lease.
be_beside() {
  stop_daemon
  spawn_daemon "${FORBID[@]}" unshare "$ISOLATED" --store "$MAIN"
  wait_until 20 daemon_answers || complain "the daemon does not answer: $(tail -n 5 "$STORES/daemon.log")"
}
# no_warnings [PLACE]: expects no warnings except that of the chroot engine and, beside and without control groups, that
# no control group limits the number of processes.
no_warnings() {
  local left
  left=$(grep -v 'the chroot engine does not isolate' <<<"$stderr" || true)
  if [[ ${1-} == beside ]] && ! here test -e /run/isolate/control-group; then
    [[ $left == *'instead of all together'*'seccomp filter'* ]] || complain "no warning about the limit of processes"
    left=$(grep -v 'instead of all together' <<<"$left" || true)
  fi
  [[ -z $left ]] || complain "expected no warning"
}

# works_with_each_engine PLACE: runs a command with each engine.
works_with_each_engine() {
  local kind engine
  for kind in overlay btrfs; do
    for engine in bwrap chroot lxc; do
      run -7 --separate-stderr run_in "$kind" -e "$engine" sh -c 'id -u; cat /etc/debian_version; echo x >/new; stat -c %u:%g /new
        awk "{ print \$1, \$3 }" /proc/self/uid_map; exit 7'
      [[ ${lines[0]} == 0 && ${lines[1]} == 12.* && ${lines[2]} == 0:0 && "${lines[*]:3}" == '0 1 1 65535' ]] ||
        complain "$kind, $engine"
      if [[ $engine == chroot ]]; then no_warnings; else no_warnings "$1"; fi
    done
  done
}
@test "each engine works without a warning" { works_with_each_engine below; }
@test "beside: each engine works" { be_beside && works_with_each_engine beside; }

ATTEMPTS='for d in /media /usr; do mount -o remount,bind,rw $d 2>/dev/null && echo remounted $d; umount $d 2>/dev/null && echo unmounted $d; done
  touch /media/no 2>/dev/null && echo written; mkdir -p /x && mount --rbind / /x && mount -o remount,bind,rw /x/media 2>/dev/null && echo in a copy
  mount -t tmpfs none /srv && echo mounted; unshare --mount true && echo unshared; : >/mnt/yes'
# keeps_mounts PLACE: expects all these attempts on read-only mounts to fail.
keeps_mounts() {
  local kind engine
  make_shared
  for kind in overlay btrfs; do
    for engine in bwrap lxc; do
      rm -f "$SHARED"/*
      succeeds run_in "$kind" -e "$engine" --cap-add SYS_ADMIN --seccomp=tty -d "$SHARED:/media:ro" -d "$SHARED:/mnt" sh -c "$ATTEMPTS"
      expect_output $'mounted\nunshared'
      no_warnings "$1"
      [[ -e $SHARED/yes && ! -e $SHARED/no ]] || complain "$kind, $engine: $(ls "$SHARED")"
      succeeds run_in "$kind" -e "$engine" --read-only --cap-add SYS_ADMIN sh -c \
        'mount -o remount,bind,rw / 2>/dev/null; touch /new 2>/dev/null || echo read-only'
      expect_output read-only
    done
  done
}
@test "a guest with CAP_SYS_ADMIN can mount, but makes no read-only mount writable" { keeps_mounts below; }
@test "beside: a guest with CAP_SYS_ADMIN can mount, but makes no read-only mount writable" {
  be_beside && keeps_mounts beside
}

# is_private PLACE: with --userns=private no id inside is the member.
is_private() {
  local engine
  for engine in bwrap lxc; do
    succeeds run_in overlay -e "$engine" --cap-add SYS_ADMIN --userns=private sh -c \
      'id -u; touch /new; chown 1000:1000 /new; stat -c %u /new; cat /proc/self/uid_map; exec sleep 0'
    [[ ${lines[0]} == 0 && ${lines[1]} == 1000 && ${#lines[@]} == 3 ]] || complain "$engine"
    refute grep -qE "^ *[0-9]+ +$USER_A_UID " <<<"${lines[2]}"
    no_warnings "$1"
  done
}
@test "with --userns=private no id inside is the member" { is_private below; }
@test "beside: with --userns=private no id inside is the member" { be_beside && is_private beside; }

# Tries to start thirty processes with different ids, and prints how many there were at once.
FORKS='use POSIX; my $n = 0; for my $id (1 .. 30) { my $pid = fork; last unless defined $pid; if (!$pid) { POSIX::setuid(1000 + $id); sleep 60; exit }
  $n++ } print "$n\n"; kill "KILL", -1'
@test "the limit of processes counts all users of a guest together, and nobody outside it" {
  local engine
  # The member already has as many processes as the limit allows.
  for _ in {1..25}; do start_words MEMBER sleep 100; done
  for engine in bwrap chroot lxc; do
    run --separate-stderr run_in overlay -e "$engine" --ulimit nproc=20 perl -e "$FORKS"
    [[ ${lines[0]} -ge 10 && ${lines[0]} -le 20 ]] || complain "$engine"
    no_warnings
  done
}

# is_under_control PLACE ENGINE: checks ps, exec and kill.
is_under_control() {
  local row
  start_member_guest -e "$2" --cap-add SYS_ADMIN
  row=$(member "$ISOLATECTL" ps --json | jq -c ".[] | select(.clone == \"$CLONE\")")
  [[ $(jq .tasks <<<"$row") -ge 2 && $(jq -r .engine <<<"$row") == "$2" ]] || complain "ps: $row"
  succeeds member "$ISOLATECTL" exec "$CLONE" sh -c 'uname -n; readlink /proc/self/ns/user /proc/self/ns/mnt'
  [[ ${lines[0]} == "$CLONE" && ${lines[1]} == "$(readlink "/proc/$GUEST_PID/ns/user")" &&
    ${lines[2]} == "$(readlink "/proc/$GUEST_PID/ns/mnt")" ]] || complain "exec"
  succeeds member "$ISOLATECTL" kill "$CLONE"
  wait_until 5 no_process_with "$MARK"
  settles overlay "$SIZE"
}
@test "isolatectl can list, enter and kill the guest" {
  is_under_control below bwrap
  is_under_control below lxc
}
@test "beside: isolatectl can list, enter and kill the guest" {
  be_beside
  is_under_control beside bwrap
  is_under_control beside lxc
}

@test "beside: a run that is killed leaves nothing" {
  be_beside
  start_member_guest --cap-add SYS_ADMIN
  kill_started KILL
  wait_until 10 no_process_with "$MARK"
}

@test "hooks find the root, and the command's changes to it" {
  local place
  for place in below beside; do
    if [[ $place == beside ]]; then be_beside; fi
    succeeds member env PRE_SPAWN_HOOK='echo one >"$ROOTFS/root/one"' POST_SPAWN_HOOK='cat "$ROOTFS/root/two"' \
      "$ISOLATE" -q -z overlay:deb --cap-add SYS_ADMIN sh -c 'cat /root/one; echo two >/root/two'
    expect_output $'one\ntwo'
  done
}

@test "groups that a bind needs are kept, and isolate warns once if they are dropped" {
  be_beside
  install -d -m 0750 -o root -g "$GROUP_GID" "$SCRATCH/of-group"
  here test -d "$SCRATCH/of-group"
  succeeds run_in overlay --cap-add SYS_ADMIN -d "$SCRATCH/of-group:/mnt:ro" ls /mnt
  run --separate-stderr run_in overlay --cap-add SYS_ADMIN --groups=drop -d "$SCRATCH/of-group:/mnt:ro" ls /mnt
  expect_status 2
  [[ $(grep -c 'only a supplementary group' <<<"$stderr") == 1 ]] || complain "expected one warning"
}

@test "--home needs one more namespace, and without it nothing runs" {
  local engine place
  for place in below beside; do
    if [[ $place == beside ]]; then be_beside; fi
    for engine in bwrap lxc chroot; do
      fails_plainly 125 isolate '--home: user namespace of the command' 'run without --home' -- \
        run_in overlay -e "$engine" --home sh -c 'echo ran'
    done
  done
}

@test "without the daemon an ordinary user gets one line with the reason, which mentions the daemon" {
  stop_daemon
  install -d -m 0700 -o "$USER_A_UID" -g "$USER_A_GID" "$SCRATCH/root"
  isolate_refuses 'user namespaces are not allowed here' 'group isolate' -- member "$ISOLATE" -q -t "$SCRATCH/root" true
}
