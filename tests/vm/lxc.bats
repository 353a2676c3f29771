# suites: trixie bookworm
# The lxc engine with systemd on the host and control groups of version 2: roots with and without an init, their limits,
# and the bridge of LXC's own service.

load daemon

GROUPS_ROOT=/sys/fs/cgroup
SYSTEM=rpool/isolate/system
BRIDGE=lxcbr0
ALLOCATE='$x = "a" x (200 << 20); print length $x'
MEMORY=$(($(awk '/MemTotal/ { print $2 }' /proc/meminfo) * 1024))

# With a ZFS that can't map ids a system would find its root read-only, so there the templates are overlays. Their names
# differ from the user's templates, and they have no fresh clones, which the tests would report as left behind.
make_templates() {
  if [[ $SUITE == bookworm ]]; then
    isolatectl -q template create plain --from "$TARBALL"
    isolatectl -q template create booted --from "$SYSTEM_TARBALL"
    isolate -q -r overlay:plain 0
    isolate -q -r overlay:booted 0
  else
    zfs create "$SYSTEM"
    tar --extract --numeric-owner --preserve-permissions --exclude './dev/*' --file "$SYSTEM_TARBALL" --directory /isolate/system
    snapshot_now "$SYSTEM"
    isolate -q -r "$SYSTEM" 2
  fi
}
remove_templates() {
  if [[ $SUITE == bookworm ]]; then
    isolatectl -q template remove plain
    isolatectl -q template remove booted
  else
    isolate -q -f -r "$SYSTEM" 0
  fi
}

setup_file() {
  set_up_service 2
  make_templates
  loginctl enable-linger tester
  wait_until 30 test -S /run/user/1000/systemd/private
  become user
  as_caller isolatectl -q template create debian --from "$TARBALL"
  as_caller isolatectl -q template create system --from "$SYSTEM_TARBALL"
}
teardown_file() {
  become user
  as_caller isolatectl -q template remove debian
  as_caller isolatectl -q template remove system
  loginctl disable-linger tester
  remove_templates
  take_down_service
}
setup() {
  common_setup
  systemctl start isolated.socket isolated.service
  become member
}
teardown() {
  local status=0
  # The daemon may need longer than a system test waits.
  wait_until 30 store_is_clean "$STORE" || complain "$(state_in "$STORE")" || status=1
  end_with_full_pool 2 || status=1
  wait_until 20 no_groups || complain "groups are left: $(groups_left)" || status=1
  systemctl stop lxc-net.service
  return "$status"
}
groups_left() {
  find "$GROUPS_ROOT" -type d \( -name 'lease-*' -o -name 'supervisor-*' -o -name 'isolate-*.scope' -o -name 'lxc.*' -o -name 'isolate-debisl*' \)
}
no_groups() { [[ -z $(groups_left) ]]; }

# become root, member or user: sets CALLER. DEBIAN and BOOTED are that user's templates without an init and with one.
become() {
  case $1 in
    root)
      words_of_caller 0 0 /root
      DEBIAN=$DATASET BOOTED=$SYSTEM
      ;;
    member) DEBIAN=zfs:debisl BOOTED=zfs:system ;;
    user) DEBIAN=debian BOOTED=system ;;
  esac
  [[ $1 == user || $SUITE != bookworm ]] || DEBIAN=plain BOOTED=booted
  [[ $1 != root ]] || return 0
  words_of_caller 1000 1000 /home/tester
  CALLER=(env -i XDG_RUNTIME_DIR=/run/user/1000 "${CALLER[@]:2}")
}
lxc() { as_caller "$ISOLATE" -q -e lxc "$@"; }

# Prints the group with the limits of the waiting run. All of the container is below it.
limit_group() {
  local guest
  guest=$GROUPS_ROOT$(sed -n 's/^0:://p' "/proc/$(pid_of_run)/cgroup")
  [[ $guest == */lease-*/guest* ]] || complain "the guest is in $guest"
  echo "${guest%%/guest*}"
}
expect_in_group() { [[ $(<"$GROUP/$1") == "$2" ]] || complain "$1 of $GROUP is $(<"$GROUP/$1") instead of $2"; }
expect_usual_limits() {
  local bytes
  GROUP=$(limit_group)
  bytes=$(<"$GROUP/memory.max")
  ((bytes > MEMORY / 20 - 8192 && bytes <= MEMORY / 20 + 4096)) || complain "memory.max is $bytes of $MEMORY"
  expect_in_group cpu.max '100000 100000'
}
# silent: succeeds without other messages than those about waiting for the init, which isolate prints on such a slow
# machine.
silent() { [[ -z $(grep -Ev "^isolate: (the root's init boots|warning: the root's init has not booted)" "$SCRATCH/err") ]]; }

@test "a root with systemd is booted for root, a member and a user, within the default limits" {
  local who
  for who in root member user; do
    become "$who"
    start_run -e lxc -z "$BOOTED" -- 'cat /proc/1/comm; systemctl is-system-running --wait; systemctl --failed --no-legend --plain
      systemctl show --property ControlGroup --value systemd-journald.service
      mkdir /sys/fs/cgroup/mine && echo divided && rmdir /sys/fs/cgroup/mine; true'
    expect_usual_limits
    [[ $(<"$SCRATCH/out") == $'systemd\nrunning\n/system.slice/systemd-journald.service\ndivided\nready' ]] ||
      complain "$who: $(cat "$SCRATCH/out" "$SCRATCH/err")"
    silent || complain "$who: $(cat "$SCRATCH/err")"
    kill_started TERM
    [[ $STATUS == 143 ]] || complain "$who: status $STATUS"
    wait_until 20 no_groups || complain "$who: $(groups_left)"
  done
}

@test "a root without an init runs only the command, within the default limits" {
  local who
  for who in root member user; do
    become "$who"
    start_run -e lxc -z "$DEBIAN" -- 'cat /proc/1/comm; true'
    expect_usual_limits
    [[ $(<"$SCRATCH/out") == $'isolate-init\nready' && ! -s $SCRATCH/err ]] || complain "$who: $(cat "$SCRATCH/out" "$SCRATCH/err")"
    kill_started TERM
    [[ $STATUS == 143 ]] || complain "$who: status $STATUS"
  done
}

@test "--memory, --cpus, --pids and --io-weight take effect, and override variables" {
  local who template
  for who in root member; do
    become "$who"
    for template in "$DEBIAN" "$BOOTED"; do
      CALLER=("${CALLER[@]}" env LXC_MEM_MB_QUOTA=500 LXC_CPU_QUOTA=100)
      start_run -e lxc --memory 64M --cpus 0.5 --pids 90 --io-weight 200 -z "$template" -- true
      GROUP=$(limit_group)
      expect_in_group memory.max 67108864
      expect_in_group memory.swap.max 0
      expect_in_group cpu.max '50000 100000'
      expect_in_group pids.max 90
      expect_in_group io.weight 'default 200'
      kill_started TERM
    done
  done
}

@test "LXC_MEM_MB_QUOTA and LXC_CPU_QUOTA take effect, and isolate reports when memory was not enough" {
  local who
  for who in root member user; do
    become "$who"
    CALLER=("${CALLER[@]}" env LXC_MEM_MB_QUOTA=64 LXC_CPU_QUOTA=100)
    start_run -e lxc -z "$DEBIAN" -- true
    GROUP=$(limit_group)
    expect_in_group memory.max 67108864
    expect_in_group cpu.max "$((100000 * $(nproc))) 100000"
    kill_started TERM
    run -137 --separate-stderr lxc -z "$DEBIAN" perl -e "$ALLOCATE"
    expect_output ''
    [[ ${stderr_lines[-1]} == 'isolate: warning: killed: LXC_MEM_MB_QUOTA 64.0 MiB was not enough' ]] || complain "$who"
  done
}

@test "without control groups isolate drops the default limits with a warning, and refuses requested ones" {
  become user
  run --separate-stderr as_caller env -u XDG_RUNTIME_DIR "$ISOLATE" -e lxc -z debian echo ran
  expect_status 0
  expect_output ran
  expect_in_errors 'the container has no quotas of memory and processors'
  expect_in_errors XDG_RUNTIME_DIR
  fails_plainly 125 isolate LXC_CPU_QUOTA XDG_RUNTIME_DIR -- as_caller env -u XDG_RUNTIME_DIR LXC_CPU_QUOTA=50 "$ISOLATE" -q -e lxc \
    -z debian true
  become member
  systemctl stop isolate-leases.service
  run --separate-stderr as_caller "$ISOLATE" -e lxc -z "$DEBIAN" echo ran
  expect_status 0
  expect_output ran
  expect_in_errors 'systemctl start isolate-leases.service'
  fails_plainly 125 isolate LXC_MEM_MB_QUOTA 'systemctl start isolate-leases.service' -- as_caller env LXC_MEM_MB_QUOTA=64 \
    "$ISOLATE" -q -e lxc -z "$DEBIAN" true
}

@test "a guest's root can't change its own limits" {
  local who
  for who in root member user; do
    become "$who"
    start_run -e lxc --memory 64M --cap-add SYS_ADMIN --seccomp tty -z "$DEBIAN" -- 'cat /proc/self/cgroup; mount -t cgroup2 none /mnt
      ls /mnt/cgroup.procs; for file in memory.max cpu.max; do echo max >/mnt/$file && echo "wrote $file"; done; true'
    GROUP=$(limit_group)
    grep -qx '0::/' "$SCRATCH/out" || complain "$who: $(cat "$SCRATCH/out")"
    grep -qx /mnt/cgroup.procs "$SCRATCH/out" || complain "$who: the mount failed: $(cat "$SCRATCH/out" "$SCRATCH/err")"
    expect_in_group memory.max 67108864
    expect_in_group cpu.max '100000 100000'
    [[ -z $(find "$GROUP" -maxdepth 1 -user 1000 -name '*.max') || $who == user ]] || complain "$who: owned by the user"
    kill_started TERM
  done
}

@test "isolatectl can list, enter and kill a whole system" {
  local clone row
  start_run -e lxc -z "$BOOTED" -- 'systemd-run --quiet sleep 1000; true'
  row=$(as_caller isolatectl --json ps | jq -c '.[0]')
  clone=$(jq -r .clone <<<"$row")
  [[ $(jq '.memory_bytes > 1000000 and .tasks >= 5 and .engine == "lxc"' <<<"$row") == true ]] || complain "$row"
  succeeds as_caller isolatectl exec "$clone" sh -c 'cat /proc/1/comm; systemctl is-system-running --wait'
  expect_output $'systemd\nrunning'
  succeeds as_caller isolatectl kill "$clone"
  end_of_started 2>/dev/null
  [[ $STATUS == 137 ]] || complain "status $STATUS"
  wait_until 20 no_groups || complain "$(groups_left)"
}

# Run in the guest: eth0 gets an address of the bridge's network, and the name server of lxc-net answers across it.
ANSWER='use Socket; $SIG{ALRM} = sub { die "no answer" }; alarm 20; socket(my $s, PF_INET, SOCK_STREAM, 0);
  connect($s, sockaddr_in(53, inet_aton("10.0.3.1"))) or die "no connection: $!"; print "connected\n"'
CONNECT='cut -s -d: -f1 /proc/net/dev | tr -d " "; ip address add "$0/24" dev eth0 && exec perl -e "$1"'

@test "-n connects the container to lxc-net's bridge, and it reaches the bridge's address" {
  systemctl start lxc-net.service
  echo "tester veth $BRIDGE 10" >/etc/lxc/lxc-usernet
  become root
  succeeds as_caller env "LXC_NET_BR=$BRIDGE" "$ISOLATE" -q -e lxc -n --cap-add NET_ADMIN -z "$BOOTED" sh -c "$CONNECT" 10.0.3.50 "$ANSWER"
  expect_output $'lo\neth0\nconnected'
  become member
  succeeds as_caller env "LXC_NET_BR=$BRIDGE" "$ISOLATE" -q -e lxc -n --cap-add NET_ADMIN -z "$BOOTED" sh -c "$CONNECT" 10.0.3.51 "$ANSWER"
  expect_output $'lo\neth0\nconnected'
  become user
  succeeds as_caller env "LXC_NET_BR=$BRIDGE" "$ISOLATE" -q -e lxc -n --cap-add NET_ADMIN -z "$BOOTED" sh -c "$CONNECT" 10.0.3.52 "$ANSWER"
  expect_output $'lo\neth0\nconnected'
  [[ -z $(ls "/sys/class/net/$BRIDGE/brif") ]] || complain "left on the bridge: $(ls "/sys/class/net/$BRIDGE/brif")"
  : >/etc/lxc/lxc-usernet
  fails_plainly 125 isolate "can't connect the container to bridge $BRIDGE" -- as_caller env "LXC_NET_BR=$BRIDGE" "$ISOLATE" -q -e lxc -n -z "$DEBIAN" true
}

@test "twenty containers can run at a time" {
  local number
  become root
  for number in {1..20}; do
    "${CALLER[@]}" "$ISOLATE" -q -e lxc -z "$DEBIAN" sh -c 'echo "begun $0"; sleep 1; exit $0' "$number" \
      </dev/null >"$SCRATCH/out-$number" 2>&1 3>&- &
    STARTED+=("$!")
  done
  for number in {1..20}; do
    STATUS=0
    wait "${STARTED[number - 1]}" || STATUS=$?
    [[ $STATUS == "$number" && $(<"$SCRATCH/out-$number") == "begun $number" ]] || complain "$number: $STATUS, $(cat "$SCRATCH/out-$number")"
  done
}

@test "a member who makes groups endlessly blocks nobody" {
  local maker
  start_run -e lxc -z "$DEBIAN" -- true
  GROUP=$(limit_group)
  [[ $(<"$GROUP/guest/cgroup.max.descendants") == 1000 ]] || complain "$(<"$GROUP/guest/cgroup.max.descendants")"
  # Make them from outside the guest, so that they continue after the end of the lease.
  as_caller perl -e 'for (;;) { for $a ("a" .. "z") { $path = "$ARGV[0]/guest"; for (1 .. 20) { $path .= "/$a"; mkdir $path } } }' \
    "$GROUP" 3>&- &
  maker=$!
  STARTED+=("$maker")
  wait_until 20 test -d "$GROUP/guest/z" || complain "no groups are made: $(find "$GROUP" -type d | wc -l)"
  kill_started TERM
  wait_until 30 no_groups || complain "left while they are made: $(groups_left | wc -l)"
  kill -0 "$maker" || complain "the maker has ended, so the test proves nothing"
  succeeds lxc --memory 64M -z "$DEBIAN" true
  kill "$maker"
}

@test "after SIGKILL at eight moments, the next run of root, a member or a user removes what is left" {
  local who delay
  for who in root member user; do
    become "$who"
    for delay in 0.1 0.4 0.8 1.2 1.6 2.4 3.2 4; do
      start "$ISOLATE" -q -e lxc -z "$BOOTED" sleep "$MARK"
      sleep "$delay"
      kill_started KILL
      wait_until 20 no_process_with "$MARK|isolate-lxc" || complain "$who, $delay: $(pgrep --full --list-full 'isolate-lxc')"
    done
    wait_until 60 the_next_run_tidies_up || complain "$who: $(state_in "$STORE")"
    wait_until 20 no_groups || complain "$who: $(groups_left)"
  done
}
the_next_run_tidies_up() { lxc -z "$BOOTED" true && store_is_clean "$STORE"; }
