# variants: root-bwrap user-bwrap: the identities differ in ids and control groups, each test names the engine
# templates: system
# What a container uses of the host: a bridge, /dev/net/tun, quotas, a log. The environment asks for each of them.

load helpers

in_lxc() { isolate -q -e lxc -z debian "$@"; }
# lxc_with NAME=VALUE... -- OPTION... COMMAND...: runs a container with these variables in isolate's environment.
lxc_with() { with_variables "${@:1:$(($(index_of -- "$@") - 1))}" -- -q -e lxc "${@:$(($(index_of -- "$@") + 1))}"; }
index_of() {
  local word=$1 index=1
  shift
  while [[ $1 != "$word" ]]; do
    index=$((index + 1))
    shift
  done
  echo "$index"
}

# Runs a command in a network namespace with a bridge brtest, 10.99.0.1, on which a server answers with the mark. The
# files that lxc-user-nic reads and writes are private to it.
in_network_with_bridge() {
  unshare --net --mount --propagation private --pid --fork --kill-child --mount-proc bash -ec '
    mount -t sysfs none /sys
    ip link set lo up
    ip link add brtest type bridge
    ip address add 10.99.0.1/24 dev brtest
    ip link set brtest up
    mkdir -p /run/lxc
    mount -t tmpfs none /run/lxc
    mount -t tmpfs none /etc/lxc
    cp "$1" /etc/lxc/lxc-usernet
    /usr/bin/python3 -c "
import socket, sys
server = socket.create_server((\"10.99.0.1\", 7))
server.settimeout(20)
print(flush=True)
connection, _ = server.accept()
connection.sendall(b\"served $2\")" >"$3" 3>&- &
    until [[ -s $3 ]]; do sleep 0.02; done
    shift 3
    exec "$@"' bash "$SCRATCH/usernet" "$MARK" "$SCRATCH/ready" "${CALLER[@]}" "$@"
}

CONNECT='use Socket; $SIG{ALRM} = sub { die "no answer" }; alarm 10; socket(my $s, PF_INET, SOCK_STREAM, 0);
  connect($s, sockaddr_in(7, inet_aton("10.99.0.1"))) or die "no connection: $!"; print <$s>'

@test "-n connects the container to the bridge, and it reaches an address across it" {
  echo "$USER_A veth brtest 10" >"$SCRATCH/usernet"
  chmod 0644 "$SCRATCH/usernet"
  succeeds in_network_with_bridge env LXC_NET_BR=brtest "$ISOLATE" --store "$STORE" -q -e lxc -n --cap-add NET_ADMIN \
    -z system sh -c 'cut -s -d: -f1 /proc/net/dev | tr -d " "; ip address add 10.99.0.2/24 dev eth0; exec perl -e "$0"' \
    "$CONNECT"
  expect_output $'lo\neth0\nserved '"$MARK"
}

@test "an ordinary user who may not use the bridge gets one error line, and nothing runs" {
  [[ $IDENTITY == user ]] || return 0
  : >"$SCRATCH/usernet"
  chmod 0644 "$SCRATCH/usernet"
  fails_plainly 125 isolate "can't connect the container to bridge brtest" -- in_network_with_bridge env LXC_NET_BR=brtest \
    "$ISOLATE" --store "$STORE" -q -e lxc -n -z debian touch "/$MARK"
}

@test "a missing bridge is reported before anything starts" {
  fails_plainly 125 isolate 'there is no bridge br_vm' LXC_NET_BR -- lxc_with LXC_NET_BR= -- -z debian -n true
  fails_plainly 125 isolate 'there is no bridge nobridge0' -- lxc_with LXC_NET_BR=nobridge0 -- -z debian -n true
  fails_plainly 125 isolate 'there is no bridge lo' -- lxc_with LXC_NET_BR=lo -- -z debian -n true
  # Without -n no bridge is needed.
  succeeds lxc_with LXC_NET_BR=nobridge0 -- -z debian true
}

@test "no value can add lines to LXC's configuration" {
  local name
  for name in LXC_NET_BR LXC_CPU_QUOTA LXC_MEM_MB_QUOTA; do
    fails_plainly 125 isolate "$name" -- lxc_with "$name=1"$'\nlxc.hook.pre-start = /bin/touch '"$SCRATCH/hook" -- \
      -z debian -n true
  done
  mkdir "$SCRATCH/bound"$'\nlxc.hook.pre-start = x'
  succeeds in_lxc -d "$SCRATCH/bound"$'\nlxc.hook.pre-start = x:/mnt'$'\nlxc.hook.pre-start = y' -v $'A=b\nlxc.x = y' sh -c \
    'printf %s "$A"'
  expect_output $'b\nlxc.x = y'
  [[ ! -e $SCRATCH/hook ]] || complain "a hook has run"
}

@test "LXC_MAP_TUN adds the device, which makes tunnels in the guest's network" {
  local make_tun='open(my $f, "+<", "/dev/net/tun") or die "open: $!\n";
    my $r = pack("a16s", "tun$ARGV[0]", 0x1001); ioctl($f, 0x400454ca, $r) or die "make: $!\n";
    open(my $d, "<", "/proc/net/dev"); print grep { s/^\s*(tun\d+):.*/$1/s } <$d>'
  if [[ $IDENTITY == user ]] && ! as_caller test -w /dev/net/tun; then
    fails_plainly 125 isolate LXC_MAP_TUN /dev/net/tun -- lxc_with LXC_MAP_TUN=1 -- -z debian true
  else
    succeeds lxc_with LXC_MAP_TUN=1 -- -z debian --cap-add NET_ADMIN perl -e "$make_tun" 7
    expect_output tun7
  fi
  refute in_lxc test -e /dev/net/tun
}

@test "only the usual devices work, and no other can be made" {
  succeeds in_lxc --cap-add ALL sh -c 'cd /root && for node in "b 7 0" "c 1 1" "c 10 200" "c 1 3"; do
    rm -f node; mknod node $node 2>/dev/null && cat node >/dev/null 2>&1 && echo "$node works"; done; ls /dev | sort | tr "\n" " "'
  expect_output 'fd full null ptmx pts random shm stderr stdin stdout tty urandom zero '
}

@test "LXC_MEM_MB_QUOTA and LXC_CPU_QUOTA take effect, and can be read inside" {
  local half=$((($(nproc) * 100000 + 1) / 2))
  [[ $half -ge 100000 ]] || half=100000
  if [[ $IDENTITY == user ]]; then
    fails_plainly 125 isolate LXC_MEM_MB_QUOTA 'control groups of version 2' -- lxc_with LXC_MEM_MB_QUOTA=64 -- -z debian true
    fails_plainly 125 isolate LXC_CPU_QUOTA 'control groups of version 2' -- lxc_with LXC_CPU_QUOTA=50 -- -z debian true
    run -0 --separate-stderr isolate -e lxc -z debian true
    expect_in_errors 'no quotas of memory and processors'
    return
  fi
  local read_back='for c in cpu memory; do mkdir "/mnt/$c"; mount -t cgroup -o "$c" none "/mnt/$c"; done
    cat /mnt/memory/memory.limit_in_bytes /mnt/cpu/cpu.cfs_quota_us /mnt/cpu/cpu.cfs_period_us'
  succeeds lxc_with LXC_MEM_MB_QUOTA=64 LXC_CPU_QUOTA=50 -- -z debian --cap-add SYS_ADMIN --seccomp none sh -c "$read_back"
  expect_output "$((64 << 20))"$'\n'"$half"$'\n100000'
  # The defaults: a twentieth of the memory, and a fifth of the processors but at least one.
  succeeds in_lxc --cap-add SYS_ADMIN --seccomp none sh -c "$read_back"
  local twentieth=$(($(awk '/MemTotal/ { print $2 }' /proc/meminfo) * 1024 / 20))
  [[ ${lines[0]} -gt $((twentieth * 98 / 100)) && ${lines[0]} -lt $((twentieth * 102 / 100)) ]] || complain "not $twentieth"
  [[ ${lines[1]} -ge 100000 && ${lines[1]} -le $(($(nproc) * 100000)) ]] || complain "processors"
  run -137 --separate-stderr lxc_with LXC_MEM_MB_QUOTA=64 -- -z debian perl -e "$ALLOCATE"
  expect_output ''
  expect_in_errors 'killed: LXC_MEM_MB_QUOTA 64.0 MiB was not enough'
}

ALLOCATE='$x = "a" x (256 << 20); print "alive"'

@test "root's containers take limits from control groups of version 1 as well, and options override variables" {
  [[ $IDENTITY == root ]] || return 0
  local read_back='for c in cpu memory pids; do mkdir "/mnt/$c"; mount -t cgroup -o "$c" none "/mnt/$c"; done
    cat /mnt/memory/memory.limit_in_bytes /mnt/cpu/cpu.cfs_quota_us /mnt/pids/pids.max'
  succeeds lxc_with LXC_MEM_MB_QUOTA=64 LXC_CPU_QUOTA=50 -- --memory 96M --cpus 1.5 --pids 40 -z debian \
    --cap-add SYS_ADMIN --seccomp none sh -c "$read_back"
  expect_output "$((96 << 20))"$'\n150000\n40'
  run -137 --separate-stderr in_lxc --memory 96M perl -e "$ALLOCATE"
  expect_output ''
  expect_in_errors 'killed: --memory 96.0 MiB was not enough'
  isolate_refuses 'control groups of version 2' -- in_lxc --io-weight 200 true
  succeeds in_lxc --pids 20 perl -e 'while ($n < 99) { $pid = fork; last unless defined $pid; $pid || sleep 60; $n++ } print $n'
  [[ $output -gt 5 && $output -lt 20 ]] || complain "not limited to 20"
}

@test "a guest can't change its groups" {
  [[ $IDENTITY == root ]] || return 0
  succeeds lxc_with LXC_MEM_MB_QUOTA=64 -- -z debian --cap-add SYS_ADMIN --seccomp none sh -c 'mkdir /mnt/m
    mount -t cgroup -o memory none /mnt/m && { echo 1G >/mnt/m/memory.limit_in_bytes || echo $$ >/mnt/m/cgroup.procs ||
    mkdir /mnt/m/below || echo refused; } 2>/dev/null; cat /mnt/m/memory.limit_in_bytes'
  expect_output $'refused\n'"$((64 << 20))"
}

@test "DEBUG_LXC_SPAWN: the log belongs to the caller, and a link or another user's file is refused" {
  local place=$SCRATCH/tmp
  mkdir -m 1777 "$place"
  # Use a separate /tmp, because the file's name is always the same.
  with_own_tmp() { in_private_mounts "mount --bind '$place' /tmp" env DEBUG_LXC_SPAWN=1 "$ISOLATE" --store "$STORE" -q -e lxc "$@"; }
  succeeds with_own_tmp -z debian true
  grep -q 'lxc_start' "$place/isolate_lxc_log" || complain "no log of LXC's: $(head -3 "$place/isolate_lxc_log")"
  [[ $(stat -c '%u %a' "$place/isolate_lxc_log") == "$CALLER_UID 600" ]] || complain "$(stat "$place/isolate_lxc_log")"
  rm "$place/isolate_lxc_log"
  echo kept >"$SCRATCH/other"
  ln -s "$SCRATCH/other" "$place/isolate_lxc_log"
  fails_plainly 125 isolate DEBUG_LXC_SPAWN -- with_own_tmp -z debian true
  ln -f "$SCRATCH/other" "$place/isolate_lxc_log"
  fails_plainly 125 isolate DEBUG_LXC_SPAWN -- with_own_tmp -z debian true
  rm "$place/isolate_lxc_log"
  install -o "$USER_B_UID" -m 0666 "$SCRATCH/other" "$place/isolate_lxc_log"
  fails_plainly 125 isolate DEBUG_LXC_SPAWN -- with_own_tmp -z debian true
  [[ $(cat "$SCRATCH/other" "$place/isolate_lxc_log") == $'kept\nkept' ]] || complain "another file was changed"
}

@test "-e bwrap ignores all of these variables" {
  succeeds with_variables LXC_NET_BR=nobridge0 LXC_MAP_TUN=1 LXC_CPU_QUOTA=x LXC_MEM_MB_QUOTA=x DEBUG_LXC_SPAWN=1 -- \
    -q -e bwrap -z debian test ! -e /dev/net/tun
}
