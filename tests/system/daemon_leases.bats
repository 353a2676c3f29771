# variants: root-bwrap: the daemon serves root's stores alone
# What members and root do with running leases of the daemon: look at them, end them, run commands in them. And what
# others may not.

load helpers
load stores
load daemon
only_kinds overlay

SIZE=1

setup_file() { make_daemon "$SIZE"; }
teardown_file() { remove_daemon; }

as_member() { member "$ISOLATECTL" "$@"; }
kill_by_varlink() { in_words "$1" call org.isolate.Manager.Kill "{\"lease\": \"$2\"}"; }
# The guest has ended with kill's return, and the pool comes to its size again.
is_over() {
  no_process_with "^sleep $MARK" || complain "the guest lives"
  end_of_started 2>/dev/null
  [[ $STATUS == 137 ]] || complain "status $STATUS: $(cat "$SCRATCH/out.err")"
  settles overlay "$SIZE"
}

@test "ps shows members and root what a guest uses" {
  local row
  start_member_guest
  for row in "$(as_member --json ps)" "$(ctl --json ps)"; do
    [[ $(jq -r '.[0].clone' <<<"$row") == "$CLONE" ]] || complain "$row"
    [[ $(jq '.[0] | .cpu_usec >= 0 and .memory_bytes > 10000 and .tasks >= 2' <<<"$row") == true ]] || complain "$row"
  done
  as_member kill "$CLONE"
  is_over
}

@test "a member ends a lease of his own, whatever state it is in" {
  local state
  for state in runs stopped 'isolate is stopped'; do
    start_member_guest
    if [[ $state == stopped ]]; then kill -STOP "$GUEST_PID"; fi
    if [[ $state == isolate* ]]; then kill -STOP "$STARTED_PID"; fi
    remember_log
    succeeds as_member kill "$CLONE"
    [[ -z $output$stderr ]] || complain "it said something"
    log_has "killed lease $CLONE for uid $USER_A_UID" || complain "$(log_since)"
    is_over
  done
}

@test "another's lease can't be ended by a member, but by root" {
  start_member_guest
  isolatectl_refuses 'no lease' -- member_b "$ISOLATECTL" kill "$CLONE"
  isolatectl_refuses 'no lease' -- outsider "$ISOLATECTL" kill "$CLONE"
  run --separate-stderr kill_by_varlink MEMBER_B "$CLONE"
  [[ $status == 1 && $stderr == org.isolate.Manager.NoSuchLease* ]] || complain "by Varlink"
  run kill_by_varlink OUTSIDER "$CLONE"
  [[ $status != 0 ]] || complain "by somebody who is no member"
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

@test "a lease that is held by something else of the member's ends, too" {
  words_of_tool varlink_client
  start_words MEMBER "${TOOL[@]}" lease overlay:deb
  wait_until 20 grep -q . "$SCRATCH/out"
  CLONE=$(as_member --json ps | jq -r '.[0].clone')
  succeeds as_member kill "$CLONE"
  end_of_started 2>/dev/null
  [[ $STATUS == 137 ]]
  settles overlay "$SIZE"
}

# start_attack WORDS ATTACK ARGUMENT...: it has a lease in CLONE, and the process that keeps it is KEEPER.
start_attack() {
  local words=$1
  shift
  words_of_tool daemon_attacks
  start_words "$words" "${TOOL[@]}" "$@"
  wait_until 20 grep -q . "$SCRATCH/out" || complain "no lease: $(cat "$SCRATCH/out.err")"
  read -r CLONE KEEPER <"$SCRATCH/out"
}
is_listed() { [[ $(as_member --json ps | jq -r '.[].clone') == "$CLONE" ]]; }

@test "X3: a lease whose holder makes its lock a shared one, or has ended, is listed and ends by kill" {
  local attack begin
  for attack in shared inherited; do
    start_attack MEMBER "$attack" overlay:deb
    is_listed || complain "$attack: $(as_member --json ps)"
    begin=$SECONDS
    succeeds as_member kill "$CLONE"
    # A shared lock's holder is the one that has asked for the lease: it is given time to end in order.
    ((SECONDS - begin <= 9)) || complain "$attack: kill took $((SECONDS - begin)) s"
    wait_until 5 process_ended "$KEEPER" || complain "$attack: $KEEPER lives"
    [[ -z $(as_member --json ps | jq -r '.[].clone') ]] || complain "$attack: still listed"
    settles overlay "$SIZE"
  done
}

@test "X3: a lock that was handed to another user keeps no lease, and costs that user no process" {
  start_attack HERE given overlay:deb "$USER_A_UID" "$USER_B_UID" "$GROUP_GID"
  is_listed || complain "$(as_member --json ps)"
  succeeds as_member kill "$CLONE"
  [[ -z $(as_member --json ps | jq -r '.[].clone') ]] || complain "still listed"
  process_ended "$KEEPER" && complain "a process of another user was killed"
  settles overlay "$SIZE"
  kill -KILL "$KEEPER"
}

@test "X3: a guest that goes on after its lease was given up has no clone any more, and harms no other" {
  start_attack MEMBER inside overlay:deb
  settles overlay "$SIZE"
  is_listed && complain "it is over"
  succeeds run_in overlay sh -c 'cat /etc/debian_version >/new && cat /new'
  kill_started KILL
  settles overlay "$SIZE"
}

@test "X3: what a member keeps in the namespaces of a guest beside its lease ends with the lease" {
  local clone process
  stop_daemon
  words_of_tool daemon_forbid
  spawn_daemon "${TOOL[@]}" unshare "$ISOLATED" --store "$MAIN"
  wait_until 20 daemon_answers || complain "the daemon does not answer"
  start_attack MEMBER kept_beside overlay:deb
  wait_until 20 test -s "$SCRATCH/out" || complain "no lease: $(cat "$SCRATCH/out.err")"
  read -r clone process <"$SCRATCH/out"
  [[ $(ps -o uid= -p "$process") -gt 1000000 ]] || complain "it has not another id"
  succeeds as_member kill "$clone"
  wait_until 5 process_ended "$process" || complain "it lives"
  settles overlay "$SIZE"
  restart_daemon
}

@test "a member runs commands in his leases, root in all, others in none" {
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

@test "nobody but the lease's own isolate is taken for it" {
  start_member_guest
  local place
  place=$(find "$MEMBER_HOME" -name "$CLONE.*" -type s)
  [[ -n $place ]]
  # The member, or what he runs, has put something else there, to have root's descriptors.
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

# A guest's program that asks the socket of a run as isolatectl would; prints what it is told.
ASKER='socket(my $s, 1, 5, 0) or die; my ($p) = glob("$ARGV[0]/*.*"); connect($s, pack("Sa*", 1, $p)) or die "connect $p: $!\n";
  select(undef, undef, undef, 0.3); $SIG{PIPE} = "IGNORE"; syswrite($s, "x") or print "closed\n"; sysread($s, my $told, 999); print $told;'

@test "a guest that was given the directory of the sockets is not listened to, its user is" {
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

@test "a lease has the member's groups where a bind depends on one, and otherwise none" {
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

@test "a clone of the daemon's can be read-only, in which places for mounts are made all the same" {
  local kind
  make_shared
  for kind in "${KINDS[@]}"; do
    succeeds run_in "$kind" --read-only -d "$SHARED:/made/for/it" sh -c \
      'test -d /made/for/it && test -e /etc/hosts && ! touch /new 2>/dev/null && echo read-only'
    expect_output read-only
    expect_no_errors
  done
}
