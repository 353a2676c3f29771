# variants: root-bwrap: the daemon serves only root's stores
# The daemon and its clients end in several ways. Guests continue, and clones are neither lost nor leased twice.

load helpers
load stores
load daemon
load guests

only_kinds overlay
SIZE=10

setup_file() { make_daemon "$SIZE"; }
teardown_file() { remove_daemon; }

GUESTS=50
start_guest() { start_words MEMBER "$ISOLATE" -q -z overlay:deb "$@"; }

@test "K5, K10: SIGTERM ends the daemon in order; guests continue, and are reaped after a restart" {
  restart_daemon # as a child of this shell, which waits for its status
  start_guests "$GUESTS"
  stop_daemon
  [[ $STATUS == 0 ]] || complain "status $STATUS: $(tail -n 5 "$STORES/daemon.log")"
  all_live
  start_daemon
  all_live
  pool_is overlay leased "$GUESTS" || complain "$(ctl pool status overlay:deb --json)"
  end_guests
  settles overlay "$SIZE" 120
  fresh_ones_are_unused
}

@test "K5: after SIGKILL of the daemon, guests continue, and the next daemon reaps those that ended meanwhile" {
  local pid
  start_guests "$GUESTS"
  stop_daemon KILL
  all_live
  # Ten guests end while there is no daemon. Nothing removes their clones.
  for pid in "${STARTED[@]:0:10}"; do kill -KILL "$pid"; done
  for pid in "${STARTED[@]:0:10}"; do { wait "$pid" || true; } 2>/dev/null; done
  [[ $(number_of_clones overlay) -ge $GUESTS ]]
  start_daemon
  wait_until 60 pool_is overlay leased $((GUESTS - 10)) || complain "$(ctl pool status overlay:deb --json)"
  STARTED=("${STARTED[@]:10}")
  all_live
  for pid in "${STARTED[@]}"; do kill -KILL "$pid"; done
  for pid in "${STARTED[@]}"; do { wait "$pid" || true; } 2>/dev/null; done
  exec {GO}>&-
  settles overlay "$SIZE" 120
  fresh_ones_are_unused
}
# Checks that no used clone is offered. The files that a guest writes are in the upper directory.
fresh_ones_are_unused() {
  [[ -z $(find "$MAIN/clones" -path '*/upper/*' -print -quit) ]] || complain "used: $(find "$MAIN/clones" -path '*/upper/*')"
}

@test "K4: SIGKILL of isolate ends its guest and frees the clone within seconds" {
  local begin
  start_member_guest
  remember_log
  begin=$EPOCHREALTIME
  kill_started KILL
  wait_until 5 no_process_with "^sleep $MARK" || complain "the guest is still running"
  wait_until 5 log_has "reaped $CLONE" || complain "not reaped: $(log_since)"
  [[ ! -e $MAIN/clones/$CLONE ]] || complain "the clone still exists"
  echo "# guest and clone were gone after $(((${EPOCHREALTIME/./} - ${begin/./}) / 1000)) ms" >&3
  settles overlay "$SIZE"
}

@test "K4: a guest ends with its lease even if it hides in new sessions and ignores signals" {
  start_member_guest sh -c 'trap "" HUP INT TERM QUIT; (setsid sleep "$0" &); (setsid sh -c "sleep $0 & wait" &); exec "$@"' \
    "$MARK"
  remember_log
  kill_started KILL
  wait_until 5 no_process_with "$MARK" || complain "the guest is still running"
  wait_until 5 log_has "reaped $CLONE" || complain "not reaped: $(log_since)"
}

@test "D8: a client that closes between its request and the answer leaves no lease" {
  remember_log
  succeeds in_words MEMBER drop overlay:deb 40
  wait_until 60 daemon_has_no_children
  settles overlay "$SIZE"
  wait_until 30 all_that_were_leased_are_reaped || complain "$(log_since)"
}
all_that_were_leased_are_reaped() {
  [[ -z $(comm -23 <(clones_in_log leased) <(clones_in_log reaped)) ]]
}
clones_in_log() { log_since | sed -n "s/.*$1 \([^ ]*\).*/\1/p" | sort -u; }

@test "K5: a daemon waits for a process that a killed daemon has left, which still holds the lock" {
  local begin
  stop_daemon KILL
  here flock --exclusive --no-fork /run/isolate/isolated.lock sleep 2 3>&- &
  wait_until 10 lock_is_held || complain "not locked"
  begin=$EPOCHREALTIME
  start_daemon
  [[ $((${EPOCHREALTIME/./} - ${begin/./})) -gt 500000 ]] || complain "the daemon did not wait"
  settles overlay "$SIZE" 60
}
lock_is_held() { ! here flock --nonblock /run/isolate/isolated.lock true; }

@test "K8: a second daemon is refused, and the first one continues to serve" {
  local inode
  inode=$(here stat -c %i "$SOCKET")
  fails_plainly 1 isolated -- here timeout 20 "$ISOLATED" --store "$MAIN"
  expect_same_daemon
  [[ $(here stat -c %i "$SOCKET") == "$inode" ]] || complain "the socket was replaced"
  succeeds run_in overlay true
}

@test "a socket that a killed daemon has left is replaced" {
  stop_daemon KILL
  run here stat -c %F "$SOCKET"
  expect_output socket
  run --separate-stderr in_words MEMBER call org.varlink.service.GetInfo
  expect_status 3
  start_daemon
  expect_same_daemon
  run here stat -c '%a %U:%G' "$SOCKET"
  expect_output '660 root:isolate'
  succeeds run_in overlay true
}

@test "the daemon takes the system manager's socket, and leaves it when it ends" {
  stop_daemon
  words_of_tool varlink_client
  spawn_daemon env "SOCKET_GID=$GROUP_GID" "${TOOL[@]}" activate "$ISOLATED" --store "$MAIN"
  wait_until 20 daemon_answers || complain "$(tail -n 5 "$STORES/daemon.log")"
  expect_same_daemon
  succeeds run_in overlay id -u
  expect_output 0
  stop_daemon
  [[ $STATUS == 0 ]] || complain "status $STATUS"
  run here stat -c %F "$SOCKET"
  expect_output socket
  here rm "$SOCKET"
  start_daemon
}

@test "K3: a clone that was leased at a power failure counts as used, never as fresh" {
  local clone
  start_member_guest
  clone=$CLONE
  stop_daemon KILL
  kill_started KILL
  # Crashes at other moments leave: a lease that is recorded, a clone that is made but not recorded as fresh, and one
  # that is half destroyed.
  mkdir -p "$MAIN"/clones/deb-{aaaaaaaaaaaa,bbbbbbbbbbbb,cccccccccccc}/upper
  touch "$MAIN"/clones/deb-{aaaaaaaaaaaa,bbbbbbbbbbbb,cccccccccccc}/upper/mark
  install -m 0600 "$MAIN/pools/deb/leased/$clone" "$MAIN/pools/deb/leased/deb-aaaaaaaaaaaa"
  install -m 0600 /dev/null "$MAIN/pools/deb/making/deb-bbbbbbbbbbbb"
  install -m 0600 /dev/null "$MAIN/pools/deb/trash/deb-cccccccccccc"
  start_daemon
  settles overlay "$SIZE"
  fresh_ones_are_unused
}

@test "K7: if the store can't make a clone, the member gets one error line and no partial clone is left" {
  refresh overlay 0
  settles overlay 0
  here mount --bind "$MAIN/clones" "$MAIN/clones"
  here mount -o remount,bind,ro "$MAIN/clones"
  run --separate-stderr run_in overlay true
  here umount "$MAIN/clones"
  expect_status 125
  one_error_line isolate
  expect_in_errors 'read-only file system'
  settles overlay 0
  succeeds run_in overlay true
  refresh overlay "$SIZE"
  settles overlay "$SIZE"
}
