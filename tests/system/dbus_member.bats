# variants: root-bwrap: the daemon serves root's stores alone
# --dbus on clones that the daemon leases to members, with each engine that they have.

load helpers
load stores
load daemon
load desktop
load attacks

only_kinds overlay

setup_file() {
  make_daemon 2
  place_attacks
  make_desktop
  chown "$USER_A_UID:$USER_A_GID" "$RUNTIME"
  # shellcheck disable=SC2034 # start_server uses it
  SERVER_OWNER=(setpriv "--reuid=$USER_A_UID" "--regid=$USER_A_GID" --clear-groups --)
  start_server bus dbus-daemon --session --nofork --nopidfile "--address=unix:path=$RUNTIME/bus" --print-address=1
  server_is_up bus grep -q ^unix: "$DESKTOP/bus.log"
  add_to_session "DBUS_SESSION_BUS_ADDRESS=unix:path=$RUNTIME/bus"
  local name
  for name in org.example.Yes org.example.No; do
    start_server "$name" "$ATTACKS/bus-service" serve "$name"
    server_is_up "$name" grep -qx ready "$DESKTOP/$name.log"
  done
}
teardown_file() {
  remove_desktop
  remove_attacks
  remove_daemon
}

@test "a member's guest reaches what is allowed and nothing else, with each engine and mode of ids" {
  local options
  read_session
  for options in '' '-e lxc' '--userns=private' '-e lxc --userns=private'; do
    # shellcheck disable=SC2086
    succeeds member env "${SESSION[@]}" "$ISOLATE" -q -z overlay:deb -d "$ATTACKS:/mnt:ro" $options \
      --dbus=session,talk=org.example.Yes sh -c 'for name in Yes No; do
        /mnt/bus-service pass "org.example.$name" /etc/debian_version; done; true'
    expect_output $'answer of org.example.Yes\nfailed: org.freedesktop.DBus.Error.ServiceUnknown'
  done
  settles overlay 2
}

@test "a member's guest owns the name that it may own, and nothing is left after a SIGKILL" {
  read_session
  start_words MEMBER env "${SESSION[@]}" "$ISOLATE" -q -z overlay:deb -d "$ATTACKS:/mnt:ro" \
    --dbus=session,own=org.example.Inside /mnt/bus-service serve org.example.Inside "$MARK"
  wait_until 20 grep -qx ready "$SCRATCH/out" || complain "$(cat "$SCRATCH/out" "$SCRATCH/out.err")"
  echo passed >"$SCRATCH/file"
  chmod 0644 "$SCRATCH/file"
  succeeds setpriv "--reuid=$USER_A_UID" "--regid=$USER_A_GID" --clear-groups env "${SESSION[@]}" \
    "$ATTACKS/bus-service" pass org.example.Inside "$SCRATCH/file"
  expect_output 'answer of org.example.Inside'
  kill_started KILL
  wait_until 5 no_process_with "^/usr/bin/xdg-dbus-proxy --fd=4 unix:" || complain "the filter runs on"
  settles overlay 2
}
