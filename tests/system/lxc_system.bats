# variants: root-bwrap user-bwrap: the identities differ in ids and control groups, each test names the engine
# templates: system
# Systems: LXC boots a root that has an init, and the command runs beside the init. An ordinary user needs their own
# control group for that, as their systemd provides it. Here the test does.

load helpers
load attacks
load control_group

setup_file() {
  place_attacks
  give_control_group
}
teardown_file() {
  take_control_group
  remove_attacks
}

setup() {
  common_setup
  enter_control_group
}

in_system() { isolate -q -e lxc -z system "$@"; }

groups_are_gone() { [[ -z $(find "$GROUP" -mindepth 1 -type d) ]]; }

@test "systemd is process 1 and has started everything" {
  succeeds in_system sh -c 'cat /proc/1/comm; systemctl is-system-running; systemctl --failed --no-legend --plain'
  expect_output $'systemd\nrunning'
  expect_no_errors
  groups_are_gone || complain "$(find "$GROUP")"
}

@test "the command has its arguments, status, streams, variables, directory and ids, as without a system" {
  run -9 --separate-stderr in_system -v GREETING='two words' -p /etc sh -c 'echo "$GREETING|$PWD|$(id -u)|$*"; echo err >&2
    cat; exit 9' sh 'a b' '' c < <(echo input)
  [[ $output == $'two words|/etc|0|a b  c\ninput' && $stderr == err ]] || complain "not as without a system"
  run -127 in_system no-such-program
  run -143 in_system sh -c 'kill -TERM $$'
}

@test "the command is as confined as without a system" {
  succeeds in_system sh -c 'grep -E "^(CapEff|NoNewPrivs|Seccomp):" /proc/self/status'
  local alone
  alone=$(in_clone -e bwrap sh -c 'grep -E "^(CapEff|NoNewPrivs|Seccomp):" /proc/self/status')
  [[ $output == "$alone" ]] || complain "with bwrap: $alone"
}

@test "the command has its own controlling terminal" {
  on_terminal -- "$ISOLATE" --store "$STORE" -q -e lxc -z system sh -c 'test -t 0 && test -t 1 && tty; ps -o tpgid= -p $$'
  expect_in_output /dev/pts/
  refute grep -qE '^ *-1' <<<"$output"
}

@test "a service that systemd starts runs as long as the command" {
  succeeds in_system sh -c 'systemctl start systemd-journald && systemd-run --quiet --unit mine sleep 1000 &&
    systemctl is-active mine systemd-journald'
  expect_output $'active\nactive'
}

@test "with -n and LXC_NET_BR=none systemd starts as well, in the host's network" {
  succeeds in_system -n sh -c 'systemctl is-system-running; readlink /proc/self/ns/net'
  expect_output $'running\n'"$(readlink /proc/self/ns/net)"
}

@test "with -t the system is shut down in order within some seconds" {
  local tree=$SCRATCH/tree begin took
  copy_of_system "$tree"
  succeeds isolate -q -e lxc -t "$tree" sh -c 'printf "[Service]\nType=oneshot\nRemainAfterExit=yes\nExecStart=/bin/true
ExecStop=/bin/sh -c \"echo stopped >/root/mark\"\n" >/run/systemd/system/mark.service && systemctl daemon-reload &&
    systemctl start mark'
  [[ $(cat "$tree/root/mark") == stopped ]] || complain "the service was not stopped"
  # A service that ignores the stop is killed.
  begin=$EPOCHSECONDS
  succeeds isolate -q -e lxc -t "$tree" sh -c 'printf "[Service]\nExecStart=/bin/sh -c \"trap : TERM; while :; do sleep 1; done\"\n" \
    >/run/systemd/system/stays.service && systemctl daemon-reload && systemctl start stays'
  took=$((EPOCHSECONDS - begin))
  [[ $took -le 8 ]] || complain "after $took seconds"
}

copy_of_system() {
  mkdir -m 0755 "$1"
  if [[ $IDENTITY == root ]]; then
    tar --extract --numeric-owner --exclude './dev/*' --file "$SYSTEM_TARBALL" --directory "$1"
  else
    chown "$USER_A_UID:$USER_A_GID" "$1"
    as_caller unshare --user --map-root-user --map-users="$SUBORDINATE_BASE,1,65535" \
      --map-groups="$SUBORDINATE_BASE,1,65535" tar --extract --numeric-owner --exclude './dev/*' \
      --file "$SYSTEM_TARBALL" --directory "$1"
  fi
}

@test "a run that is killed at any moment leaves no process, group or clone" {
  local wait
  for wait in 0.02 0.05 0.1 0.15 0.2 0.3 0.5 1; do
    start_isolate -q -e lxc -z system sleep "$MARK"
    sleep "$wait"
    kill_started KILL
    wait_until 5 no_process_with "$MARK" || complain "processes after $wait seconds: $(processes_with "$MARK")"
  done
  # A later run removes what is left.
  wait_until 10 the_next_run_tidies_up || complain "$(find "$GROUP")"
}
the_next_run_tidies_up() { in_system true && groups_are_gone; }

@test "an init that ends at once is reported in one line" {
  local tree=$SCRATCH/tree
  copy_of_tree "$tree"
  as_caller ln -s /bin/true "$tree/usr/sbin/init"
  run --separate-stderr isolate -q -e lxc -t "$tree" sleep 60
  # The command may have started, or not.
  [[ $status == 125 || $status == 137 ]] || complain "status $status"
  [[ $stderr == isolate:*"the root's init has ended" ]] || complain "not one line"
}

@test "an init that is a link out of the root is ignored" {
  local tree=$SCRATCH/tree
  copy_of_tree "$tree"
  install -m 0755 /bin/sh "$SCRATCH/init"
  as_caller ln -sf "../../../../../../../../$SCRATCH/init" "$tree/usr/sbin/init"
  succeeds isolate -q -e lxc -t "$tree" cat /proc/1/comm
  expect_output isolate-init
}

@test "links in the places that LXC mounts on lead nowhere outside" {
  local tree=$SCRATCH/tree name
  copy_of_system "$tree"
  mkdir -m 0777 "$SCRATCH/outside"
  for name in run sys; do
    as_caller sh -c 'rm -rf "$1" && ln -s "$2" "$1"' sh "$tree/$name" "$SCRATCH/outside" 2>/dev/null || true
    run --separate-stderr isolate -q -e lxc -t "$tree" true
    [[ -z $(ls -A "$SCRATCH/outside") ]] || complain "with $name: $(find "$SCRATCH/outside")"
  done
}

@test "without a control group the command runs without the init, and isolate warns" {
  [[ $IDENTITY == user ]] || return 0
  run -0 --separate-stderr "${PLAIN_CALLER[@]}" "$ISOLATE" --store "$STORE" -q -e lxc -z system \
    cat /proc/1/comm
  expect_not_in_output systemd
  expect_in_errors 'systemd-run --user --scope -p Delegate=yes'
  [[ $(wc -l <<<"$stderr") == 1 ]] || complain "more than one line"
}
