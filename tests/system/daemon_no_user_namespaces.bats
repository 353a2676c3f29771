# variants: root-bwrap: the daemon serves root's stores alone
# Members who may make no user namespaces run clones of the daemon's all the same: behind a filter of system calls, such as
# that of a container, and where the daemon can make none below the lease's either ("beside"), as with Debian's sysctl
# kernel.unprivileged_userns_clone. tests/vm/user_namespaces.bats has that one itself.

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

# be_beside: from here on the daemon can make no user namespace below that of a lease.
be_beside() {
  stop_daemon
  spawn_daemon "${FORBID[@]}" unshare "$ISOLATED" --store "$MAIN"
  wait_until 20 daemon_answers || complain "the daemon does not answer: $(tail -n 5 "$STORES/daemon.log")"
}
# no_warnings [PLACE]: but that of the chroot engine, and beside that no control group limits processes, where there are none.
no_warnings() {
  local left
  left=$(grep -v 'the chroot engine does not isolate' <<<"$stderr" || true)
  if [[ ${1-} == beside ]] && ! here test -e /run/isolate/control-group; then
    [[ $left == *'instead of all together'*'seccomp filter'* ]] || complain "no warning of the limit of processes"
    left=$(grep -v 'instead of all together' <<<"$left" || true)
  fi
  [[ -z $left ]] || complain "expected no warning"
}

# works_with_each_engine PLACE
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
@test "each engine works, and nothing is warned of" { works_with_each_engine below; }
@test "beside: each engine works" { be_beside && works_with_each_engine beside; }

ATTEMPTS='for d in /media /usr; do mount -o remount,bind,rw $d 2>/dev/null && echo remounted $d; umount $d 2>/dev/null && echo unmounted $d; done
  touch /media/no 2>/dev/null && echo written; mkdir -p /x && mount --rbind / /x && mount -o remount,bind,rw /x/media 2>/dev/null && echo in a copy
  mount -t tmpfs none /srv && echo mounted; unshare --mount true && echo unshared; : >/mnt/yes'
# keeps_mounts PLACE
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
@test "a guest with CAP_SYS_ADMIN mounts what it wants, and makes no read-only mount writable" { keeps_mounts below; }
@test "beside: a guest with CAP_SYS_ADMIN mounts what it wants, and makes no read-only mount writable" {
  be_beside && keeps_mounts beside
}

# is_private PLACE: with --userns=private nobody inside is the member.
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
@test "--userns=private leaves the member out" { is_private below; }
@test "beside: --userns=private leaves the member out" { be_beside && is_private beside; }

# Each tries to start thirty processes, of as many users, and says how many there were at once.
FORKS='use POSIX; my $n = 0; for my $id (1 .. 30) { my $pid = fork; last unless defined $pid; if (!$pid) { POSIX::setuid(1000 + $id); sleep 60; exit }
  $n++ } print "$n\n"; kill "KILL", -1'
@test "the processes of a guest's users are counted together, and nobody else's with them" {
  local engine
  # The member has as many already.
  for _ in {1..25}; do start_words MEMBER sleep 100; done
  for engine in bwrap chroot lxc; do
    run --separate-stderr run_in overlay -e "$engine" --ulimit nproc=20 perl -e "$FORKS"
    [[ ${lines[0]} -ge 10 && ${lines[0]} -le 20 ]] || complain "$engine"
    no_warnings
  done
}

# is_under_control PLACE ENGINE: ps, exec, kill.
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
@test "isolatectl lists, enters and kills it" {
  is_under_control below bwrap
  is_under_control below lxc
}
@test "beside: isolatectl lists, enters and kills it" {
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

@test "hooks find the root, and what the command has made of it" {
  local place
  for place in below beside; do
    if [[ $place == beside ]]; then be_beside; fi
    succeeds member env PRE_SPAWN_HOOK='echo one >"$ROOTFS/root/one"' POST_SPAWN_HOOK='cat "$ROOTFS/root/two"' \
      "$ISOLATE" -q -z overlay:deb --cap-add SYS_ADMIN sh -c 'cat /root/one; echo two >/root/two'
    expect_output $'one\ntwo'
  done
}

@test "groups that a bind needs stay, and are told of once where they are dropped" {
  be_beside
  install -d -m 0750 -o root -g "$GROUP_GID" "$SCRATCH/of-group"
  here test -d "$SCRATCH/of-group"
  succeeds run_in overlay --cap-add SYS_ADMIN -d "$SCRATCH/of-group:/mnt:ro" ls /mnt
  run --separate-stderr run_in overlay --cap-add SYS_ADMIN --groups=drop -d "$SCRATCH/of-group:/mnt:ro" ls /mnt
  expect_status 2
  [[ $(grep -c 'only a supplementary group' <<<"$stderr") == 1 ]] || complain "not told once"
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

@test "an ordinary user without the daemon is told in one line why not, and of the daemon" {
  stop_daemon
  install -d -m 0700 -o "$USER_A_UID" -g "$USER_A_GID" "$SCRATCH/root"
  isolate_refuses 'user namespaces are not allowed here' 'group isolate' -- member "$ISOLATE" -q -t "$SCRATCH/root" true
}
