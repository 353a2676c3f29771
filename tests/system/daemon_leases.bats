# variants: root-bwrap: the daemon serves only root's stores
# What members and root can do with running leases of the daemon: list them, end them, run commands in them. And what
# others can't do.

load helpers
load stores
load daemon
only_kinds overlay

SIZE=1

setup_file() { make_daemon "$SIZE"; }
teardown_file() { remove_daemon; }

as_member() { member "$ISOLATECTL" "$@"; }
kill_by_varlink() { in_words "$1" call org.isolate.Manager.Kill "{\"lease\": \"$2\"}"; }
# When kill returns, the guest has ended. Then the pool comes back to its size.
is_over() {
  no_process_with "^sleep $MARK" || complain "the guest is still running"
  end_of_started 2>/dev/null
  [[ $STATUS == 137 ]] || complain "status $STATUS: $(cat "$SCRATCH/out.err")"
  settles overlay "$SIZE"
}

@test "ps shows members and root the resources that a guest uses" {
  local row
  start_member_guest
  for row in "$(as_member --json ps)" "$(ctl --json ps)"; do
    [[ $(jq -r '.[0].clone' <<<"$row") == "$CLONE" ]] || complain "$row"
    [[ $(jq '.[0] | .cpu_usec >= 0 and .memory_bytes > 10000 and .tasks >= 2' <<<"$row") == true ]] || complain "$row"
  done
  as_member kill "$CLONE"
  is_over
}

@test "a member can end their own lease, whatever its state" {
  local state
  for state in runs stopped 'isolate is stopped'; do
    start_member_guest
    if [[ $state == stopped ]]; then kill -STOP "$GUEST_PID"; fi
    if [[ $state == isolate* ]]; then kill -STOP "$STARTED_PID"; fi
    remember_log
    succeeds as_member kill "$CLONE"
    [[ -z $output$stderr ]] || complain "kill printed something"
    log_has "killed lease $CLONE for uid $USER_A_UID" || complain "$(log_since)"
    is_over
  done
}

@test "only root and the lease's own user can end it" {
  start_member_guest
  isolatectl_refuses 'no lease' -- member_b "$ISOLATECTL" kill "$CLONE"
  isolatectl_refuses 'no lease' -- outsider "$ISOLATECTL" kill "$CLONE"
  run --separate-stderr kill_by_varlink MEMBER_B "$CLONE"
  [[ $status == 1 && $stderr == org.isolate.Manager.NoSuchLease* ]] || complain "by Varlink"
  run kill_by_varlink OUTSIDER "$CLONE"
  [[ $status != 0 ]] || complain "by a user outside the group"
  kill -0 "$GUEST_PID"
  succeeds ctl kill "$CLONE"
  is_over
  start_member_guest
  succeeds kill_by_varlink HERE "$CLONE"
  is_over
}

@test "the daemon answers with an error if there is no such lease" {
  local name
  for name in no-such-lease '' ../x "$(printf 'a\tb')" deb; do
    isolatectl_refuses 'no lease' -- as_member kill "$name"
  done
  run --separate-stderr kill_by_varlink MEMBER no-such-lease
  [[ $status == 1 && $stderr == org.isolate.Manager.NoSuchLease* ]] || complain "no such lease"
  for name in '{}' '{"lease": 7}' '{"lease": null}' '{"lease": ["x"]}'; do
    run --separate-stderr in_words MEMBER call org.isolate.Manager.Kill "$name"
    [[ $status == 1 && $stderr == org.varlink.service.InvalidParameter* ]] || complain "$name"
  done
  expect_same_daemon
}

@test "kill ends a lease that another program of the member holds" {
  words_of_tool varlink_client
  start_words MEMBER "${TOOL[@]}" lease overlay:deb
  wait_until 20 grep -q . "$SCRATCH/out"
  CLONE=$(as_member --json ps | jq -r '.[0].clone')
  succeeds as_member kill "$CLONE"
  end_of_started 2>/dev/null
  [[ $STATUS == 137 ]]
  settles overlay "$SIZE"
}

# start_attack WORDS ATTACK ARGUMENT...: leaves the attack's lease in CLONE, and the process that keeps it in KEEPER.
start_attack() {
  local words=$1
  shift
  words_of_tool daemon_attacks
  start_words "$words" "${TOOL[@]}" "$@"
  wait_until 20 grep -q . "$SCRATCH/out" || complain "no lease: $(cat "$SCRATCH/out.err")"
  read -r CLONE KEEPER <"$SCRATCH/out"
}
is_listed() { [[ $(as_member --json ps | jq -r '.[].clone') == "$CLONE" ]]; }

@test "X3: a lease whose holder shares its lock or has ended is listed, and kill ends it" {
  local attack begin
  for attack in shared inherited; do
    start_attack MEMBER "$attack" overlay:deb
    is_listed || complain "$attack: $(as_member --json ps)"
    begin=$SECONDS
    succeeds as_member kill "$CLONE"
    # The holder of a shared lock is the process that requested the lease. It gets time to end in order.
    ((SECONDS - begin <= 9)) || complain "$attack: kill took $((SECONDS - begin)) s"
    wait_until 5 process_ended "$KEEPER" || complain "$attack: $KEEPER is still running"
    [[ -z $(as_member --json ps | jq -r '.[].clone') ]] || complain "$attack: still listed"
    settles overlay "$SIZE"
  done
}

@test "X3: a lock that was handed to another user keeps no lease, and that user's process survives" {
  start_attack HERE given overlay:deb "$USER_A_UID" "$USER_B_UID" "$GROUP_GID"
  is_listed || complain "$(as_member --json ps)"
  succeeds as_member kill "$CLONE"
  [[ -z $(as_member --json ps | jq -r '.[].clone') ]] || complain "still listed"
  process_ended "$KEEPER" && complain "a process of another user was killed"
  settles overlay "$SIZE"
  kill -KILL "$KEEPER"
}

@test "X3: a guest that outlives its lease has no clone any more, and does not affect others" {
  start_attack MEMBER inside overlay:deb
  settles overlay "$SIZE"
  is_listed && complain "the lease is still listed"
  succeeds run_in overlay sh -c 'cat /etc/debian_version >/new && cat /new'
  kill_started KILL
  settles overlay "$SIZE"
}

@test "X3: a member's process in the namespaces of a guest beside its lease ends with the lease" {
  local clone process
  stop_daemon
  words_of_tool daemon_forbid
  spawn_daemon "${TOOL[@]}" unshare "$ISOLATED" --store "$MAIN"
  wait_until 20 daemon_answers || complain "the daemon does not answer"
  start_attack MEMBER kept_beside overlay:deb
  wait_until 20 test -s "$SCRATCH/out" || complain "no lease: $(cat "$SCRATCH/out.err")"
  read -r clone process <"$SCRATCH/out"
  [[ $(ps -o uid= -p "$process") -gt 1000000 ]] || complain "the process has the member's id"
  succeeds as_member kill "$clone"
  wait_until 5 process_ended "$process" || complain "the process is still running"
  settles overlay "$SIZE"
  restart_daemon
}

@test "a member can run commands in their leases, root in all, others in none" {
  start_member_guest -v WHO:guest
  succeeds as_member exec "$CLONE" sh -c 'id -u; echo "$WHO"; cat /proc/1/comm; exit 0'
  expect_output $'0\nguest\nisolate-init'
  run as_member exec "$CLONE" sh -c 'exit 6'
  expect_status 6
  succeeds ctl exec "$CLONE" sh -c 'id -u; cat /proc/self/uid_map | wc -l'
  expect_output $'0\n2'
  fails_plainly 125 isolatectl 'no lease' -- member_b "$ISOLATECTL" exec "$CLONE" true
  fails_plainly 125 isolatectl 'no lease' -- outsider "$ISOLATECTL" exec "$CLONE" true
  as_member kill "$CLONE"
  is_over
}

@test "isolatectl takes no other process for a lease's own isolate" {
  start_member_guest
  local place
  place=$(find "$MEMBER_HOME" -name "$CLONE.*" -type s)
  [[ -n $place ]]
  # The member, or their guest, has put another socket there, to get root's descriptors.
  rm "$place"
  start_words MEMBER /usr/bin/python3 -c 'import socket, sys, time
s = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
s.bind(sys.argv[1]); s.listen(); print("up", flush=True)
s.settimeout(20)
c, _ = s.accept(); c.settimeout(3)
print("got", len(c.recv(100000)), flush=True)' "$place"
  wait_until 10 grep -q up "$SCRATCH/out"
  fails_plainly 125 isolatectl 'another process' -- ctl exec "$CLONE" true
  wait_until 10 grep -qx 'got 0' "$SCRATCH/out" || complain "$(cat "$SCRATCH/out")"
  as_member kill "$CLONE"
  settles overlay "$SIZE"
}

# A guest's program that connects to a run's socket as isolatectl would, and prints the answer.
ASKER='socket(my $s, 1, 5, 0) or die; my ($p) = glob("$ARGV[0]/*.*"); connect($s, pack("Sa*", 1, $p)) or die "connect $p: $!\n";
  select(undef, undef, undef, 0.3); $SIG{PIPE} = "IGNORE"; syswrite($s, "x") or print "closed\n"; sysread($s, my $told, 999); print $told;'

@test "a run's socket closes connections from a guest, and answers the run's user" {
  local runs
  start_member_guest
  runs=$(dirname "$(find "$MEMBER_HOME" -name "$CLONE.*" -type s)")
  succeeds member perl -e "$ASKER" "$runs"
  expect_in_output 'does not understand'
  succeeds run_in overlay -d "$runs:/runs" -n perl -e "$ASKER" /runs
  expect_output closed
  as_member kill "$CLONE"
  is_over
  [[ ! -e $MEMBER_HOME/.isolate-runs ]] || complain "left in the home"
}

@test "a lease has the member's groups only if a bind depends on one" {
  local options
  mkdir "$SCRATCH/shared"
  echo content >"$SCRATCH/shared/f"
  chown -R "root:$GROUP_GID" "$SCRATCH/shared"
  chmod 2770 "$SCRATCH/shared"
  chmod 0640 "$SCRATCH/shared/f"
  for options in '' '--userns=private'; do
    # shellcheck disable=SC2086
    succeeds run_in overlay $options -d "$SCRATCH/shared:/x" cat /x/f
    expect_output content
    # shellcheck disable=SC2086
    succeeds run_in overlay $options -d /etc/hostname:/x grep ^Groups: /proc/self/status
    expect_output $'Groups:\t '
  done
  settles overlay "$SIZE"
}

@test "a daemon's clone can be read-only, and places for mounts are still made in it" {
  local kind
  make_shared
  for kind in "${KINDS[@]}"; do
    succeeds run_in "$kind" --read-only -d "$SHARED:/made/for/it" sh -c \
      'test -d /made/for/it && test -e /etc/hosts && ! touch /new 2>/dev/null && echo read-only'
    expect_output read-only
    expect_no_errors
  done
}
