# variants: user-bwrap root-lxc: each identity and each engine once; the chroot engine is tried in both
# other variants: root-bwrap user-lxc root-native user-native
# templates: desktop
# builds: release
# --dbus: message buses through a filter. The buses are private ones, and allow everything that a filter has to refuse.

load helpers
load desktop
load attacks

setup_file() {
  place_attacks
  make_desktop
  cat >"$DESKTOP/bus.conf" <<'END'
<busconfig>
  <type>session</type>
  <listen>unix:path=/nowhere</listen>
  <auth>EXTERNAL</auth>
  <policy context="default">
    <allow send_destination="*" eavesdrop="true"/>
    <allow eavesdrop="true"/>
    <allow own="*"/>
  </policy>
</busconfig>
END
  start_bus session "unix:path=$RUNTIME/bus"
  add_to_session "DBUS_SESSION_BUS_ADDRESS=unix:path=$RUNTIME/bus"
  # Services outside. The rules of a test decide which of them the guest may reach.
  local name
  for name in org.example.Yes org.example.No org.freedesktop.systemd1 org.freedesktop.Notifications \
    org.freedesktop.portal.Desktop org.freedesktop.portal.Flatpak; do
    start_service "$name" "$name"
  done
}
teardown_file() {
  remove_desktop
  remove_attacks
}

# start_bus NAME ADDRESS
start_bus() {
  start_server "bus-$1" dbus-daemon "--config-file=$DESKTOP/bus.conf" --nofork --nopidfile "--address=$2" --print-address=1
  server_is_up "bus-$1" grep -q ^unix: "$DESKTOP/bus-$1.log"
}
# start_service NAME BUS-NAME [ADDRESS]: starts a service that writes the calls it gets to $DESKTOP/NAME.log.
start_service() {
  start_server "$1" env ${3:+"DBUS_SESSION_BUS_ADDRESS=$3"} "$ATTACKS/bus-service" serve "$2"
  server_is_up "$1" grep -qx ready "$DESKTOP/$1.log"
}

# with_bus RULES OPTION... COMMAND...: runs the command in a guest that has the session bus and the test's programs.
with_bus() {
  local rules=$1
  shift
  on_desktop -d "$ATTACKS:/mnt:ro" "--dbus=session${rules:+,$rules}" "$@"
}
# The commands with which a guest calls a name. A name that the filter hides seems not to exist.
CALL='call() { gdbus call --session --timeout 10 -d "$1" -o /x -m org.example.Test.Hello 2>&1 | grep -oE "answer of [A-Za-z0-9.]*|ServiceUnknown" | head -n 1; }'
call_outside() { in_session gdbus call --session --timeout 10 -d "$1" -o /x -m org.example.Test.Hello; }
processes_of_filter() { pgrep --full -- "^/usr/bin/xdg-dbus-proxy --fd=4 unix:" || true; }
no_filter_runs() { [[ -z $(processes_of_filter) ]]; }

@test "a name that is allowed is reached and another is not, with each engine" {
  local engine
  for engine in "$ENGINE" chroot; do
    succeeds with_bus talk=org.example.Yes -e "$engine" sh -c "$CALL; call org.example.Yes; call org.example.No"
    expect_output $'answer of org.example.Yes\nServiceUnknown'
  done
  succeeds with_bus talk=org.example.Yes --userns=private sh -c "$CALL; call org.example.Yes; call org.example.No"
  expect_output $'answer of org.example.Yes\nServiceUnknown'
}

@test "each kind of client can log in, and sees only what is allowed" {
  succeeds with_bus see=org.example.Yes sh -c '
    dbus-send --session --print-reply=literal --dest=org.freedesktop.DBus / org.freedesktop.DBus.ListNames
    busctl --user call org.freedesktop.DBus / org.freedesktop.DBus ListNames
    gdbus call --session -d org.freedesktop.DBus -o / -m org.freedesktop.DBus.ListNames'
  [[ $(grep -o org.example.Yes <<<"$output" | wc -l) == 3 ]] || complain "not each sees it"
  expect_not_in_output org.example.No
  expect_not_in_output systemd1
}

@test "nothing but the bus itself is reachable without a rule" {
  succeeds with_bus '' sh -c "$CALL; call org.example.Yes; call org.freedesktop.Notifications
    /mnt/bus-service serve org.example.Mine; env | grep -E '^(DBUS|XDG_RUNTIME)' | sort"
  expect_output "ServiceUnknown
ServiceUnknown
failed: org.freedesktop.DBus.Error.ServiceUnknown
DBUS_SESSION_BUS_ADDRESS=unix:path=/tmp/.runtime/bus
XDG_RUNTIME_DIR=/tmp/.runtime"
}

@test "programs outside can call a guest that may own a name, and the guest can own no other name" {
  read_session
  start env "${SESSION[@]}" "$ISOLATE" --store "$STORE" -q -z desktop -d "$ATTACKS:/mnt:ro" \
    --dbus=session,own=org.example.Inside sh -c "/mnt/bus-service serve org.example.Other
      exec /mnt/bus-service serve org.example.Inside $MARK"
  wait_until 20 grep -qx ready "$SCRATCH/out" || complain "$(cat "$SCRATCH/out" "$SCRATCH/err")"
  [[ $(head -n 1 "$SCRATCH/out") == 'failed: '*ServiceUnknown ]] || complain "$(cat "$SCRATCH/out")"
  succeeds call_outside org.example.Inside
  expect_in_output 'answer of org.example.Inside'
  echo passed-inside >"$SCRATCH/file"
  succeeds in_session "$ATTACKS/bus-service" pass org.example.Inside "$SCRATCH/file"
  wait_until 10 grep -q 'call Pass with passed-inside' "$SCRATCH/out" || complain "$(cat "$SCRATCH/out")"
  kill_started TERM
  run --separate-stderr call_outside org.example.Inside
  [[ $status != 0 ]] || complain "it still answers"
}

@test "descriptors can be passed to and from the names that are allowed" {
  succeeds with_bus talk=org.example.Yes sh -c 'echo passed-outside >/tmp/file
    /mnt/bus-service pass org.example.Yes /tmp/file; /mnt/bus-service pass org.example.No /tmp/file; true'
  [[ ${lines[0]} == 'answer of org.example.Yes' && ${lines[1]} == failed:* ]] || complain "lines"
  grep -q 'call Pass with passed-outside' "$DESKTOP/org.example.Yes.log"
  refute grep -q passed-outside "$DESKTOP/org.example.No.log"
}

@test "notifications and portals stand for the names that they need" {
  local notify='gdbus call --session -d org.freedesktop.Notifications -o /org/freedesktop/Notifications
    -m org.freedesktop.Notifications.Notify name 0 "" summary body [] {} 1000'
  succeeds with_bus notifications sh -c "$CALL; $(tr -d '\n' <<<"$notify"); call org.freedesktop.portal.Desktop"
  expect_output $'(uint32 7,)\nServiceUnknown'
  grep -qx 'call Notify' "$DESKTOP/org.freedesktop.Notifications.log"
  succeeds with_bus portals sh -c "$CALL; call org.freedesktop.portal.Desktop; call org.freedesktop.portal.Flatpak"
  expect_output $'answer of org.freedesktop.portal.Desktop\nServiceUnknown'
}

@test "a guest can use both buses at once, also with addresses that are abstract or escaped" {
  local options
  install -d -o "$CALLER_UID" -g "$CALLER_GID" "$DESKTOP/a b"
  start_bus system "unix:path=$DESKTOP/a%20b/system"
  start_service system-service org.example.OnSystem "unix:path=$DESKTOP/a b/system"
  start_bus abstract "unix:abstract=isolate-$MARK"
  read_session
  succeeds with_variables "${SESSION[@]}" "DBUS_SYSTEM_BUS_ADDRESS=unix:path=$DESKTOP/a%20b/system" -- -q -z desktop \
    --dbus=session,talk=org.example.Yes --dbus=system,talk=org.example.OnSystem sh -c "$CALL; call org.example.Yes
      gdbus call --system -d org.example.OnSystem -o /x -m org.example.Test.Hello
      gdbus call --system -d org.example.Yes -o /x -m org.example.Test.Hello 2>&1 | grep -o ServiceUnknown | head -n 1
      echo \$DBUS_SYSTEM_BUS_ADDRESS"
  expect_output "answer of org.example.Yes
('answer of org.example.OnSystem',)
ServiceUnknown
unix:path=/tmp/.runtime/system_bus_socket"
  succeeds with_variables "DBUS_SESSION_BUS_ADDRESS=tcp:host=localhost,port=1;unix:abstract=isolate-$MARK" -- -q \
    -z desktop --dbus=session gdbus call --session -d org.freedesktop.DBus -o / -m org.freedesktop.DBus.NameHasOwner x.y
  expect_output '(false,)'
  # With the host's network the guest would reach that socket without the filter.
  for options in -n '-e chroot'; do
    # shellcheck disable=SC2086
    isolate_refuses 'abstract socket' filter -- with_variables "DBUS_SESSION_BUS_ADDRESS=unix:abstract=isolate-$MARK" -- \
      -z desktop $options --dbus=session true
  done
  # Without the variable the bus is the one in XDG_RUNTIME_DIR.
  succeeds with_variables "XDG_RUNTIME_DIR=$RUNTIME" -- -q -z desktop --dbus=session,talk=org.example.Yes sh -c \
    "$CALL; call org.example.Yes"
  expect_output 'answer of org.example.Yes'
  stop_server system-service
  stop_server bus-abstract
  stop_server bus-system
}

@test "W5: the filter refuses systemd, eavesdropping and monitoring" {
  read_session
  start env "${SESSION[@]}" "$ISOLATE" --store "$STORE" -q -z desktop --dbus=session,talk=org.example.Yes sh -c "$CALL
    call org.freedesktop.systemd1
    busctl --user call org.freedesktop.DBus / org.freedesktop.DBus AddMatch s eavesdrop=true 2>&1
    busctl --user call org.freedesktop.DBus / org.freedesktop.DBus.Monitoring BecomeMonitor asu 0 0 2>&1
    echo listening; exec timeout 3 dbus-monitor --session type=signal"
  wait_until 20 grep -qx listening "$SCRATCH/out"
  for _ in {1..20}; do
    in_session dbus-send --session --type=signal /x "org.example.Test.Secret$MARK"
    sleep 0.1
  done
  end_of_started
  [[ $(head -n 4 "$SCRATCH/out") == $'ServiceUnknown\nCall failed: Access denied\nCall failed: Access denied\nlistening' ]] ||
    complain "$(cat "$SCRATCH/out")"
  refute grep -q "$MARK" "$SCRATCH/out"
}

@test "W5: when the filter is killed, the guest's connections are closed, and the run goes on" {
  read_session
  start env "${SESSION[@]}" "$ISOLATE" --store "$STORE" -q -z desktop -d "$ATTACKS:/mnt:ro" \
    --dbus=session,own=org.example.Inside sh -c "/mnt/bus-service serve org.example.Inside $MARK; $CALL
      /mnt/bus-service serve org.example.Inside $MARK; echo goes on"
  wait_until 20 grep -qx ready "$SCRATCH/out"
  kill -KILL "$(processes_of_filter)"
  end_of_started
  [[ $STATUS == 0 ]] || complain "status $STATUS"
  [[ $(tr '\n' ';' <"$SCRATCH/out") == 'ready;failed: connection closed;failed: '*';goes on;' ]] ||
    complain "$(cat "$SCRATCH/out")"
}

@test "W1, W2: only the guest can reach the filter, which holds no secret and no other descriptor" {
  read_session
  start env "${SESSION[@]}" "SECRET=secret$MARK" "$ISOLATE" --store "$STORE" -q -z desktop --dbus=session,talk=org.example.Yes \
    sleep "$MARK"
  wait_until 20 a_guest_sleeps
  local pid
  pid=$(processes_of_filter)
  refute setpriv "--reuid=$USER_B_UID" "--regid=$USER_B_GID" --clear-groups ls "/proc/$pid/fd/3/"
  refute grep -q secret "/proc/$pid/environ" "/proc/$pid/cmdline"
  [[ $(tr '\0' '\n' <"/proc/$pid/cmdline" | tail -n +3) == "unix:path=/proc/self/fd/5
/proc/self/fd/3/bus
--filter
--talk=org.example.Yes" ]] || complain "$(tr '\0' ' ' <"/proc/$pid/cmdline")"
  # Besides what the program opens itself, it has the standard streams, its directory, the pipe and the socket of the bus.
  [[ -z $(find "/proc/$pid/fd" -lname '/*' ! -lname /dev/null ! -name 3 ! -name 5) ]] || complain "$(ls -l "/proc/$pid/fd")"
  [[ -z $(find "$RUNTIME" "$DESKTOP" -newer "$SCRATCH/out" -type s ! -path '*/isolate/*') ]] || complain "a socket is on the host"
  kill_started TERM
}

@test "nothing is left after the run has ended or isolate was killed with SIGKILL" {
  local signal
  for signal in TERM KILL; do
    read_session
    start env "${SESSION[@]}" "$ISOLATE" --store "$STORE" -q -z desktop --dbus=session,talk=org.example.Yes sleep "$MARK"
    wait_until 20 a_guest_sleeps
    [[ -n $(processes_of_filter) ]]
    # env has executed isolate, so its pid is that of isolate.
    kill_started "$signal"
    wait_until 5 no_filter_runs || complain "the filter runs on"
    wait_until 5 no_process_with "$MARK" || complain "$(pgrep -af "$MARK")"
  done
  as_caller "$ISOLATECTL" --store "$STORE" gc >/dev/null 2>&1
}

@test "isolate reports a bad value, a missing program or a missing bus in one line, and makes nothing" {
  local value
  for value in '' bus 'session,' session,talk session,talk= session,talk=one session,talk=:1.5 session,talk=a..b session,own=1.2 \
    session,hear=a.b 'session,talk=*' session,talk=org.freedesktop.DBus system,notifications 'session,talk=a.b ' SESSION; do
    isolate_refuses dbus -- on_desktop "--dbus=$value" true
  done
  isolate_refuses 'session bus' dbus-run-session -- isolate -z desktop --dbus=session true
  isolate_refuses 'no bus answers' -- with_variables "DBUS_SESSION_BUS_ADDRESS=unix:path=$SCRATCH/none" -- -z desktop \
    --dbus=session true
  isolate_refuses 'no Unix socket' -- with_variables DBUS_SESSION_BUS_ADDRESS=tcp:host=localhost -- -z desktop \
    --dbus=session true
  isolate_refuses 'not an address' -- with_variables DBUS_SESSION_BUS_ADDRESS=unix:path=%00 -- -z desktop --dbus=session true
  read_session
  isolate_refuses 'xdg-dbus-proxy is not installed' apt-get -- in_private_mounts \
    'mount --bind /dev/null /usr/bin/xdg-dbus-proxy' env "${SESSION[@]}" "$ISOLATE" --store "$STORE" -z desktop \
    --dbus=session true
  isolate_refuses 'bind of' -- on_desktop --dbus=session -d "$SCRATCH:/tmp" true
}

@test "isolate refuses a bus of another user" {
  local address="unix:path=$DESKTOP/foreign/bus"
  install -d -m 0755 -o "$USER_B_UID" -g "$USER_B_GID" "$DESKTOP/foreign"
  # shellcheck disable=SC2034 # start_server uses it
  SERVER_OWNER=(setpriv "--reuid=$USER_B_UID" "--regid=$USER_B_GID" --clear-groups --)
  start_bus foreign "$address"
  unset SERVER_OWNER
  isolate_refuses "belongs to user $USER_B_UID" -- with_variables "DBUS_SESSION_BUS_ADDRESS=$address" -- -z desktop \
    --dbus=session true
  # After sudo(8) it may be the bus of the user who became root.
  if [[ $IDENTITY == root ]]; then
    succeeds with_variables "DBUS_SESSION_BUS_ADDRESS=$address" "SUDO_UID=$USER_B_UID" -- -q -z desktop --dbus=session true
  fi
  stop_server bus-foreign
}

@test "a bus that takes the place of the one that was checked gets nothing" {
  local address="unix:path=$DESKTOP/place/bus"
  install -d -m 0777 "$DESKTOP/place" "$SCRATCH/signs"
  start_bus first "$address"
  read_session
  start env "${SESSION[@]}" "DBUS_SESSION_BUS_ADDRESS=$address" "$ISOLATE" --store "$STORE" -q -z desktop \
    -d "$SCRATCH/signs:/signs" --dbus=session sh -c 'ask() { gdbus call --session --timeout 10 -d org.freedesktop.DBus \
      -o / -m org.freedesktop.DBus.GetId >/dev/null 2>&1 && echo answer || echo none; }
      ask; until test -e /signs/next; do sleep 0.1; done; ask'
  wait_until 20 grep -q . "$SCRATCH/out" || complain "$(cat "$SCRATCH/err")"
  stop_server bus-first
  # shellcheck disable=SC2034 # start_server uses it
  SERVER_OWNER=(setpriv "--reuid=$USER_B_UID" "--regid=$USER_B_GID" --clear-groups --)
  rm -f "$DESKTOP/place/bus"
  sed 's|<policy context="default">|&<allow user="*"/>|' "$DESKTOP/bus.conf" >"$DESKTOP/open.conf"
  start_server bus-second dbus-daemon "--config-file=$DESKTOP/open.conf" --nofork --nopidfile "--address=$address" \
    --print-address=1
  server_is_up bus-second grep -q ^unix: "$DESKTOP/bus-second.log"
  unset SERVER_OWNER
  touch "$SCRATCH/signs/next"
  end_of_started
  [[ $(cat "$SCRATCH/out") == $'answer\nnone' ]] || complain "$(cat "$SCRATCH/out")"
  stop_server bus-second
}

@test "the configuration file names buses as well, and --dry-run shows what is allowed" {
  mkdir -p "$SCRATCH/config/isolate"
  echo 'dbus = ["session,talk=org.example.Yes", "session,see=org.example.No"]' >"$SCRATCH/config/isolate/config.toml"
  read_session
  succeeds with_variables "${SESSION[@]}" "XDG_CONFIG_HOME=$SCRATCH/config" -- --dry-run -z desktop true
  expect_in_output "unix:path=$RUNTIME/bus --talk=org.example.Yes --see=org.example.No"
  succeeds on_desktop --dry-run --dbus=session,notifications,own=org.example.Mine true
  expect_in_output "xdg-dbus-proxy --filter unix:path=$RUNTIME/bus --talk=org.freedesktop.Notifications --own=org.example.Mine"
  expect_in_output DBUS_SESSION_BUS_ADDRESS=unix:path=/tmp/.runtime/bus
}
