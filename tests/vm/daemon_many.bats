# suites: trixie
# 200 members' runs at the same time on a pool of 20 clones on OpenZFS. Each has a clone that nobody else has, and
# nothing of them is left.

load daemon
load ../system/guests

SIZE=20
GUESTS=200

setup_file() { set_up_service "$SIZE"; }
teardown_file() { take_down_service; }

start_guest() {
  "${CALLER[@]}" "$ISOLATE" -q -z zfs:debisl "$@" </dev/null >"$SCRATCH/$OUT" 2>"$SCRATCH/$OUT.err" 3>&- &
  STARTED+=("$!")
}

@test "$GUESTS runs at a time get a clone each, and all clones are removed" {
  local begin=$SECONDS
  systemctl start isolated.service
  remember_log
  start_guests "$GUESTS" 600
  pool_is debisl leased "$GUESTS" || complain "$(isolatectl pool list)"
  all_live
  echo "# $GUESTS clones were in use at a time, after $((SECONDS - begin)) s" >&3
  end_guests
  echo "# all had ended after $((SECONDS - begin)) s" >&3
  all_are_reaped 600
  echo "# all were reaped after $((SECONDS - begin)) s" >&3
  expect_full_pool "$SIZE"
}
