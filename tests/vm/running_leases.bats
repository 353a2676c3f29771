# suites: trixie
# isolatectl ps, kill and exec on leases of the daemon as a service of systemd, within the limits of its unit, and in
# the sessions of systemd's users.

load daemon

setup_file() {
  set_up_service 2
  install -d -o stranger -m 0700 /home/stranger
}
teardown_file() { take_down_service; }
teardown() { end_with_full_pool 2; }

ctl_of_member() { as_caller "$ISOLATECTL" "$@"; }
start_lease() {
  start_run -z zfs:debisl -- true
  CLONE=$(leased_clone)
}

@test "a member can see what their lease uses, and end it" {
  local row
  start_lease
  remember_log
  row=$(ctl_of_member --json ps | jq -c '.[0]')
  [[ $(jq -r .clone <<<"$row") == "$CLONE" && $(jq '.memory_bytes > 10000 and .tasks >= 2' <<<"$row") == true ]] || complain "$row"
  succeeds ctl_of_member kill "$CLONE"
  end_of_started 2>/dev/null
  [[ $STATUS == 137 ]] || complain "status $STATUS"
  log_since | grep -q "killed lease $CLONE" || complain "$(log_since)"
}

@test "a member can end a stopped lease, and root can end a member's lease" {
  start_lease
  kill -STOP "$STARTED_PID"
  succeeds ctl_of_member kill "$CLONE"
  expect_full_pool 2
  start_lease
  isolatectl_refuses 'no lease' -- runuser -u stranger -- isolatectl kill "$CLONE"
  succeeds isolatectl kill "$CLONE"
  end_of_started 2>/dev/null
  [[ $STATUS == 137 ]] || complain "status $STATUS"
}

@test "a member can run further commands after another login, and root can as well" {
  start_lease
  succeeds runuser -l tester -c "isolatectl exec $CLONE sh -c 'id -u; cat /proc/1/comm'"
  expect_output $'0\nisolate-init'
  succeeds isolatectl exec "$CLONE" sh -c 'id -u; touch /by-root; stat -c %u /by-root'
  expect_output $'0\n0'
  run -6 ctl_of_member exec "$CLONE" sh -c 'exit 6'
  fails_plainly 125 isolatectl 'no lease' -- runuser -u stranger -- isolatectl exec "$CLONE" true
  kill_started TERM
}
