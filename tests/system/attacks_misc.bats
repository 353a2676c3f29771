# variants: user-bwrap root-lxc root-native user-warm: each identity and each engine once, as no test depends on the pair
# other variants: root-bwrap user-lxc user-native root-warm
# Resources, communication between processes, signals and nesting.

load helpers
load attacks

setup_file() { place_attacks; }
teardown_file() { remove_attacks; }

# --- R: resources -----------------------------------------------------------------------------------------------------

@test "R1 control: without a limit a guest can make thousands of processes" {
  run --separate-stderr with_attacks --ulimit nproc=unlimited /mnt/attack forks 4500 1
  [[ $status == 0 && $output == *'succeeded: '* ]] || complain "control"
}

@test "R1: a fork bomb is stopped at 4096 processes, even if it spreads over several ids" {
  local made
  run --separate-stderr with_attacks /mnt/attack forks 6000 8
  made=$(sed -n 's/^processes: //p' <<<"$output")
  [[ $status == 1 && $output == *'refused: EAGAIN'* && $made -le 4096 && $made -gt 3000 ]] || complain "$made processes"
  # Meanwhile the same caller and their other guests can still start processes.
  start_isolate -q --ulimit nproc=500 -z debian -d "$ATTACKS:/mnt:ro" sh -c "/mnt/attack forks 600 1; sleep 2; : $MARK"
  sleep 0.5
  succeeds as_caller sh -c 'true & wait'
  in_clone true
  end_of_started
  run --separate-stderr with_attacks --ulimit nproc=100 /mnt/attack forks 200 2
  [[ $status == 1 && $(sed -n 's/^processes: //p' <<<"$output") -le 100 ]] || complain "with nproc=100"
}

@test "R1: a shell's fork bomb ends at the timeout and leaves nothing behind" {
  local started=$SECONDS
  run --separate-stderr with_attacks --ulimit nproc=300 --timeout 2 \
    bash -c 'bomb() { bomb | bomb & }; bomb; sleep 60' 2>/dev/null
  expect_status 124
  [[ $((SECONDS - started)) -lt 15 ]] || complain "it took too long"
  wait_until 5 store_is_clean "$STORE"
}

@test "R3: --tmp-size limits the memory that files take" {
  local place
  for place in /tmp /home /dev/shm; do
    run --separate-stderr with_attacks --empty-home --tmp-size 4M sh -c "head -c 16M /dev/zero >$place/x; stat -c %s $place/x"
    [[ $stderr == *'No space left'* && ${lines[-1]} -le 4194304 ]] || complain "$place"
  done
}

@test "R4: no control group can be changed or mounted" {
  local options
  for options in '' '--cap-add ALL' '--cap-add ALL --seccomp=none' '-e chroot'; do
    if [[ $options == '-e chroot' && $IDENTITY == root ]]; then continue; fi
    # shellcheck disable=SC2086
    is_refused with_attacks $options /mnt/attack cgroups
  done
  is_refused with_attacks /mnt/attack mount-cgroup
  # With the right to mount, the guest may mount cgroup2 in its own namespace. Nothing in it leads to the host's groups.
  run --separate-stderr with_attacks --cap-add ALL sh -c 'mount -t cgroup2 x /srv && for f in /srv/cgroup.procs \
    /srv/cgroup.subtree_control /srv/*/cgroup.procs; do echo 1 >"$f" && echo "wrote $f"; done
    mount -t cgroup -o memory x /media && echo 1 >/media/notify_on_release && echo wrote; true'
  expect_not_in_output wrote
}

@test "R6: a crash in the guest writes no core file and starts no program of the host" {
  succeeds with_attacks sh -c 'ulimit -c; ulimit -Hc; cd /tmp; perl -e "kill 11, \$\$"; ls /tmp'
  # The limit is 1 byte, which dash shows in blocks of 512. With it the kernel starts no program of core_pattern either.
  succeeds with_attacks perl -e 'require "syscall.ph" if 0; my $limit = "\0" x 16;
    syscall(97, 4, $limit); print join(",", unpack "QQ", $limit)'
  expect_output 1,1
  run --separate-stderr with_attacks sh -c 'cd /tmp; perl -e "kill 11, \$\$"
    find / -xdev -name "core*" -type f -newer /proc/1'
  expect_not_in_output /core
}

@test "R6 control: with the limit lifted the kernel writes a core file" {
  if [[ $(cat /proc/sys/kernel/core_pattern) == '|'* ]]; then
    note "this kernel passes core files to a program"
    return 0
  fi
  succeeds with_attacks --ulimit core=unlimited sh -c 'ulimit -c unlimited; cd /tmp; perl -e "kill 11, \$\$"; ls /tmp'
  expect_in_output core
}

# --- I: communication -------------------------------------------------------------------------------------------------

@test "I1 control: a guest of plain bwrap finds a key of the caller's session" {
  gets_through as_caller "$ATTACKS/attack" key-hold isolate-attack-key \
    bwrap --ro-bind "$TREE" / --proc /proc --dev /dev --ro-bind "$ATTACKS" /mnt -- /mnt/attack key isolate-attack-key
}

@test "I1: the guest can't find a key of the caller's session, with any keyring or call" {
  local options
  for options in '' '--seccomp=none' '--seccomp=tty --cap-add ALL' '-e chroot'; do
    # shellcheck disable=SC2086
    is_refused as_caller "$ATTACKS/attack" key-hold isolate-attack-key "$ISOLATE" --store "$STORE" -q -z debian \
      -d "$ATTACKS:/mnt:ro" $options /mnt/attack key isolate-attack-key
  done
}

# with_key_of_user COMMAND...: puts a key into the caller's keyring, and runs the command with RING replaced by its
# number.
with_key_of_user() { as_caller "$ATTACKS/attack" key-of-user "isolate-attack-$MARK" "$@"; }

@test "I1 control: in plain bwrap the caller's own keyring can be linked, and /proc names its key" {
  local bwrap=(bwrap --ro-bind "$TREE" / --proc /proc --dev /dev --ro-bind "$ATTACKS" /mnt --)
  gets_through with_key_of_user "${bwrap[@]}" /mnt/attack key-link RING "isolate-attack-$MARK"
  succeeds with_key_of_user "${bwrap[@]}" cat /proc/keys
  expect_in_output "isolate-attack-$MARK"
}

@test "I1: the guest can't link a key of the caller with any filter, and /proc does not name the key" {
  local options
  echo '{"defaultAction":"SCMP_ACT_ALLOW"}' >"$SCRATCH/profile.json"
  for options in '' '--seccomp=tty' "--seccomp=$SCRATCH/profile.json" '-e chroot'; do
    # shellcheck disable=SC2086
    is_refused with_key_of_user "$ISOLATE" --store "$STORE" -q -z debian -d "$ATTACKS:/mnt:ro" $options \
      /mnt/attack key-link RING "isolate-attack-$MARK"
  done
  # An ordinary user's guest sees the names if it has the rights to make sandboxes of its own.
  local unnamed=('' '-e chroot')
  if [[ $IDENTITY == root ]]; then unnamed+=('--seccomp=none' '--cap-add SYS_ADMIN'); fi
  for options in "${unnamed[@]}"; do
    # shellcheck disable=SC2086
    succeeds with_key_of_user "$ISOLATE" --store "$STORE" -q -z debian $options cat /proc/keys
    expect_not_in_output "isolate-attack-$MARK"
  done
}

# Starts servers on an abstract name and on a name that X servers use.
start_abstract_servers() {
  start /usr/bin/python3 -I -c '
import os, socket, sys, time
servers = []
for name in sys.argv[2:]:
    server = socket.socket(socket.AF_UNIX)
    server.bind("\0" + name)
    server.listen()
    servers.append(server)
open(sys.argv[1], "w").close()
time.sleep(60)' "$SCRATCH/up" "isolate-$MARK" "/tmp/.X11-unix/X$MARK"
  wait_until 10 test -e "$SCRATCH/up"
}

@test "I2: abstract sockets, including those of X servers, can be reached only with -n" {
  start_abstract_servers
  local name
  for name in "isolate-$MARK" "/tmp/.X11-unix/X$MARK"; do
    gets_through outside abstract "$name"
    gets_through with_attacks -n /mnt/attack abstract "$name"
    is_refused_with ECONNREFUSED with_attacks /mnt/attack abstract "$name"
    is_refused_with ECONNREFUSED with_attacks --cap-add ALL /mnt/attack abstract "$name"
  done
}

@test "I3: the guest can connect to a socket in a bound directory, even with :ro, as SECURITY.md says" {
  start /usr/bin/python3 -I -c '
import socket, sys, time
server = socket.socket(socket.AF_UNIX)
server.bind(sys.argv[1])
server.listen()
time.sleep(60)' "$SCRATCH/socket"
  wait_until 10 test -S "$SCRATCH/socket"
  local client='use Socket; socket(my $s, PF_UNIX, SOCK_STREAM, 0); connect($s, sockaddr_un("/srv/socket")) or die $!'
  succeeds with_attacks -d "$SCRATCH:/srv:ro" perl -e "$client"
  # Without the bind the guest can't reach the socket.
  run --separate-stderr with_attacks perl -e "$client"
  [[ $status != 0 ]]
  succeeds with_attacks sh -c 'ls -A /run /var/run/ | grep -E "dbus|docker|systemd|isolate|user" || echo none'
  expect_output none
}

@test "I4: the guest can't see shared memory and message queues of the host" {
  local key=$((0x15010000 + RANDOM))
  outside shm-make "$key" >/dev/null
  outside queue-make "/isolate-$MARK" >/dev/null
  gets_through outside shm "$key"
  gets_through outside queue "/isolate-$MARK"
  is_refused_with ENOENT with_attacks /mnt/attack shm "$key"
  is_refused_with ENOENT with_attacks -n --cap-add ALL /mnt/attack shm "$key"
  is_refused_with ENOENT with_attacks /mnt/attack queue "/isolate-$MARK"
  is_refused_with ENOENT with_attacks -n --cap-add ALL /mnt/attack queue "/isolate-$MARK"
  outside shm-remove "$key" >/dev/null
  outside queue-remove "/isolate-$MARK" >/dev/null
  # /dev/shm is the guest's own as well.
  echo host >"/dev/shm/isolate-$MARK"
  run --separate-stderr with_attacks cat "/dev/shm/isolate-$MARK"
  rm "/dev/shm/isolate-$MARK"
  [[ $status != 0 ]] || complain "/dev/shm is the host's"
}

@test "I4: without -n there is no route, neither to the host nor to a cloud's metadata service" {
  # network.bats tries a service on the host's loopback address.
  local options
  for options in '' '--cap-add ALL'; do
    # shellcheck disable=SC2086
    succeeds with_attacks $options sh -c 'tail -n +2 /proc/net/route | grep -v "^lo" || echo none
      grep -v " lo$" /proc/net/ipv6_route || echo none; cut -s -d: -f1 /proc/net/dev | tr -d " "'
    expect_output $'none\nnone\nlo'
  done
}

@test "I8: the guest sees no interface but lo, and no packets and events of the host" {
  local probe
  for probe in interfaces packet-socket audit; do
    is_refused with_attacks /mnt/attack "$probe"
    is_refused with_attacks --cap-add ALL /mnt/attack "$probe"
  done
  # With -n the guest has the host's interfaces, but it still can't read or change their packets.
  for probe in packet-socket audit; do
    is_refused with_attacks -n /mnt/attack "$probe"
    is_refused with_attacks -n --cap-add ALL /mnt/attack "$probe"
  done
  run outside interfaces
  if [[ $status == 0 ]]; then gets_through with_attacks -n /mnt/attack interfaces; fi
  run --separate-stderr with_attacks -n --cap-add ALL perl -e 'use Socket; socket(my $s, PF_INET, SOCK_DGRAM, 0);
    my $r = pack("Z16 s x22", "lo", 0); ioctl($s, 0x8914, $r) and print "lo is down"'
  expect_not_in_output 'lo is down'
}

# --- Z: signals, nesting and the rest ---------------------------------------------------------------------------------

@test "Z1: each signal to isolate reaches the command once" {
  local name counts
  start_isolate -q -z debian perl -e '$| = 1; my %n; for my $s (qw(HUP INT QUIT TERM USR1 USR2 WINCH CONT)) {
      $SIG{$s} = sub { $n{$s}++ } }
    $SIG{ALRM} = sub { print join(" ", map { "$_=$n{$_}" } sort keys %n), "\n"; exit 0 };
    print "ready\n"; alarm 3; sleep 1 while 1; # '"$MARK"
  wait_until 10 grep -q ready "$SCRATCH/out"
  for name in HUP INT QUIT TERM USR1 USR2 WINCH CONT; do
    kill -"$name" "$STARTED_PID"
    sleep 0.05
  done
  end_of_started
  counts=$(tail -n 1 "$SCRATCH/out")
  [[ $counts == 'CONT=1 HUP=1 INT=1 QUIT=1 TERM=1 USR1=1 USR2=1 WINCH=1' ]] || complain "$counts"
}

@test "Z1: isolate stops when its command stops, and continues with it" {
  start_isolate -q -z debian sh -c "kill -STOP \$\$; echo went-on; : $MARK"
  wait_until 10 state_is T "$STARTED_PID"
  kill -CONT "$STARTED_PID"
  end_of_started
  [[ $STATUS == 0 && $(cat "$SCRATCH/out") == went-on ]]
}
state_is() { [[ $(sed -n 's/^State:\s*\(.\).*/\1/p' "/proc/$2/status") == "$1" ]]; }

@test "Z1: isolate ignores a stop of its command that is already over" {
  # This happens after Ctrl-Z and fg in quick succession, or at the start of a run: both are continued before isolate
  # has heard of the stop. If it stopped then, nobody would wake it.
  start_isolate -q -z debian perl -e 'select undef, undef, undef, 0.6; kill "STOP", $$; print "went-on"; # '"$MARK"
  wait_until 10 a_process_with "^perl .*$MARK"
  local pid
  pid=$(processes_with "^perl .*$MARK")
  kill -STOP "$STARTED_PID"
  wait_until 5 state_is T "$pid"
  kill -CONT "$pid" "$STARTED_PID"
  wait_until 3 state_is_gone "$STARTED_PID" || complain "isolate is stopped although its command continues"
  end_of_started
  [[ $STATUS == 0 && $(cat "$SCRATCH/out") == went-on ]]
}
state_is_gone() { [[ ! -e /proc/$1 ]] || state_is Z "$1"; }

@test "Z2: a guest that stops itself does not escape --timeout" {
  local started=$SECONDS
  start_isolate -q --timeout 1 -z debian sh -c "kill -STOP \$\$; sleep 100; : $MARK"
  wait_until 9 state_is_gone "$STARTED_PID" || complain "isolate is still there after $((SECONDS - started)) seconds"
  end_of_started
  [[ $STATUS == 124 ]] || complain "status $STATUS"
}

@test "Z2: a guest that kills or stops everything it sees ends only itself" {
  local started=$SECONDS
  run --separate-stderr with_attacks --seccomp=none --cap-add ALL --timeout 3 \
    sh -c 'kill -STOP -1; kill -STOP 1; sleep 30'
  [[ $status == 124 || $status -ge 128 ]] || complain "status"
  [[ $((SECONDS - started)) -lt 15 ]]
  wait_until 5 store_is_clean "$STORE"
}

@test "Z3: without user namespaces isolate fails with one line and uses no weaker engine" {
  # faults.bats switches off each kind of namespace. This test checks that the command has not run.
  run --separate-stderr with_kernel_limit max_user_namespaces 0 "$ISOLATE" --store "$STORE" -z debian \
    -d "$SCRATCH:/srv" touch /srv/ran
  expect_status 125
  one_error_line isolate
  [[ ! -e $SCRATCH/ran ]]
}

@test "Z4: host names, clocks and personalities are the guest's own, or changing them is refused" {
  local before
  before=$(hostname; cat /proc/sys/kernel/domainname)
  is_refused with_attacks /mnt/attack host-name
  run --separate-stderr with_attacks --cap-add ALL sh -c 'hostname attacked
    echo attacked >/proc/sys/kernel/domainname; hostname'
  [[ $(hostname; cat /proc/sys/kernel/domainname) == "$before" ]] || complain "the host's names changed"
  is_refused with_attacks --cap-add ALL /mnt/attack clock
  is_refused with_attacks --cap-add ALL /mnt/attack clock-adjust
  # READ_IMPLIES_EXEC and personalities of other systems are refused. ADDR_NO_RANDOMIZE, which debuggers want, and the
  # query are allowed.
  run --separate-stderr with_attacks perl -e '
    print syscall(135, $_) == -1 ? "no " : "yes " for 0x400000, 0x0004, 0x440000, 0x0040000, 0xffffffff'
  expect_output 'no no no yes yes '
}

@test "Z5: the chroot engine warns that it does not isolate, and the classic escape from a chroot fails" {
  succeeds isolate -q -e chroot -z debian true
  [[ $stderr == 'isolate: warning: '*'does not isolate'* ]] || complain "the warning"
  is_refused in_chroot /mnt/attack chroot-escape "$BINDIR/isolate"
  is_refused with_attacks --cap-add ALL --seccomp=none /mnt/attack chroot-escape "$BINDIR/isolate"
}

@test "Z5 control: the classic escape from a plain chroot succeeds" {
  mkdir "$SCRATCH/root" "$SCRATCH/root/tmp"
  chown "$CALLER_UID" "$SCRATCH/root/tmp"
  cp "$ATTACKS/attack" "$SCRATCH/root/"
  gets_through as_caller unshare --user --map-root-user chroot "$SCRATCH/root" /attack chroot-escape "$BINDIR/isolate"
}
