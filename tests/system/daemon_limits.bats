# variants: root-bwrap: the daemon serves only root's stores
# One member can't keep the daemon from serving others, or get more leases than one member may have.

load helpers
load stores
load daemon

only_kinds overlay
SIZE=20

setup_file() { make_daemon "$SIZE"; }
teardown_file() { remove_daemon; }

# start_load NAME COUNT: starts a load of daemon_load.py as the member.
start_load() {
  words_of_tool daemon_load
  OUT=load start_words MEMBER "${TOOL[@]}" "$1" overlay:deb "$2"
  wait_until 60 grep -q ready "$SCRATCH/load" || complain "$1: $(cat "$SCRATCH/load.err")"
}
# others_are_served: expects another member to get at least eight of ten leases within a second each.
others_are_served() {
  wait_until 20 many_wait || complain "the daemon has no load: $(in_words HERE call org.isolate.Manager.GetStatus)"
  succeeds member_b /usr/bin/python3 -E -s -B "$TOOLS/daemon_load.py" timed overlay:deb 10
  [[ ${#lines[@]} == 10 && $(grep -cE '^[0-9]{1,3}$' <<<"$output") -ge 8 ]] || complain "milliseconds a lease"
  note "leases of another member took $(sort -n <<<"$output" | tr '\n' ' ')ms"
}
many_wait() { (($(in_words HERE call org.isolate.Manager.GetStatus | jq .waiting) > 100)); }
note() { echo "# $*" >&3; }
# ends_load NAME: expects the load to be still running, ends it, and expects that nothing of it is left.
ends_load() {
  [[ -e /proc/$STARTED_PID ]] || complain "$1 has already ended: $(cat "$SCRATCH/load.err")"
  kill_started KILL
  wait_until 60 daemon_has_no_children || complain "children: $(children_of_daemon)"
  expect_same_daemon
  succeeds run_in overlay true
  settles overlay "$SIZE"
}
burden() {
  start_load "$1" "$2"
  others_are_served
  ends_load "$1"
}

@test "D5: clients that send a byte a second do not hinder others" { burden slow 300; }
@test "D5: clients that send nothing, or half a request, do not hinder others" { burden silent 300; }
@test "D8: clients that do not read their replies do not hinder others" { burden deaf 300; }
@test "D5: thousands of connections of one user do not hinder others" { burden flood 3000; }

# flood NAME: eight processes of one member that do the same thing without a pause.
flood() {
  start_load "clients:$1" 8
  succeeds member_b /usr/bin/python3 -E -s -B "$TOOLS/daemon_load.py" timed overlay:deb 10
  [[ ${#lines[@]} == 10 && $(grep -cE '^[0-9]{1,3}$' <<<"$output") -ge 8 ]] || complain "milliseconds a lease"
  note "$1: leases of another member took $(sort -n <<<"$output" | tr '\n' ' ')ms"
  ends_load "clients:$1"
}
@test "X2: eight clients that connect and close do not hinder others" { flood closing; }
# bats test_tags=long
@test "X2: eight clients that connect and send nothing do not hinder others" { flood quiet; }
# bats test_tags=long
@test "X2: eight clients that send half a request do not hinder others" { flood half; }
# bats test_tags=long
@test "X2: eight clients that list without a pause do not hinder others" { flood listing; }
@test "X2: eight clients that lease without a pause do not hinder others" { flood leasing; }
@test "X2: eight clients that do all of this do not hinder others" { flood mixed; }

@test "D5: the daemon releases what thousands of connections cost" {
  local before after
  wait_until 30 daemon_has_no_children
  before=$(descriptors_of_daemon)
  start_load flood 3000
  # The daemon serves a bounded number of one user's connections at a time, and lets a bounded number wait. The pools
  # have children of their own.
  [[ $(children_of_daemon | wc -l) -le 12 ]] || complain "children: $(children_of_daemon | wc -l)"
  (($(descriptors_of_daemon) <= before + 600)) || complain "descriptors: $(descriptors_of_daemon)"
  ends_load flood
  after=$(descriptors_of_daemon)
  ((after <= before + 5)) || complain "$before before, $after after"
}

@test "D11: a member has at most 256 leases, others still get theirs, and an ended lease makes room" {
  refresh overlay 0
  OUT=held start_words MEMBER /usr/bin/python3 -E -s -B "$TOOLS/varlink_client.py" lease overlay:deb 256
  wait_until 200 grep -qx all "$SCRATCH/held" || complain "$(wc -l <"$SCRATCH/held"): $(cat "$SCRATCH/held.err")"
  run --separate-stderr in_words MEMBER call org.isolate.Manager.Lease '{"template": "overlay:deb"}'
  [[ $status == 1 && $stderr == org.isolate.Manager.TooManyLeases* ]] || complain "the 257th"
  isolate_refuses leases -- run_in overlay true
  succeeds member_b "$ISOLATE" -q -z overlay:deb id -u
  expect_output 0
  # Releasing locks without ending a lease makes no room.
  kill -USR2 "$STARTED_PID"
  wait_until 20 grep -q 'ranges dropped' "$SCRATCH/held"
  run --separate-stderr in_words MEMBER call org.isolate.Manager.Lease '{"template": "overlay:deb"}'
  [[ $status == 1 && $stderr == org.isolate.Manager.TooManyLeases* ]] || complain "the 257th without locks of ranges"
  kill -USR1 "$STARTED_PID"
  wait_until 20 grep -q '^dropped'  "$SCRATCH/held"
  wait_until 20 run_in overlay true || complain "no lease after one has ended"
  kill_started KILL
  wait_until 200 is_settled overlay 0 || complain "$(ctl pool status overlay:deb --json)"
  refresh overlay "$SIZE"
}

@test "D7: a daemon with very few descriptors gives a complete lease or none" {
  local limit whole=0 none=0
  refresh overlay 3
  for limit in 6 8 10 12 14 16 24 64; do
    stop_daemon
    remember_log
    spawn_daemon prlimit "--nofile=$limit:$limit" "$ISOLATED" --store "$MAIN"
    wait_until 20 daemon_decides || complain "with $limit descriptors the daemon neither serves nor ends"
    if daemon_runs; then
      run --separate-stderr in_words MEMBER --timeout 5 call org.isolate.Manager.Lease '{"template": "overlay:deb"}'
      case $status in
        0) whole=$((whole + 1)) ;;
        # Refused, closed, or not even accepted.
        1 | 2 | 4) none=$((none + 1)) ;;
        *) complain "with $limit descriptors" ;;
      esac
      daemon_runs || complain "with $limit descriptors the daemon has ended"
    else
      none=$((none + 1))
    fi
  done
  [[ $whole -gt 0 && $none -gt 0 ]] || complain "$whole whole leases, $none failed"
  restart_daemon
  settles overlay 3
  refresh overlay "$SIZE"
}
# The daemon has ended, or has logged that it serves.
daemon_decides() { ! daemon_runs || log_has 'ready'; }

@test "D7: a client without room for the descriptors runs nothing, and its lease is reaped" {
  local limit
  for limit in 4 5 6 7; do
    # Close the descriptor of bats, because it would leave the loader of a sanitizer build no room.
    run --separate-stderr member prlimit "--nofile=$limit:$limit" "$ISOLATE" -q -z overlay:deb echo ran 3>&-
    expect_status 125
    one_error_line isolate
  done
  settles overlay "$SIZE"
}
