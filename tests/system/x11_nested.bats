# variants: root-bwrap user-lxc: each identity and each engine once
# other variants: user-bwrap root-lxc user-native root-native
# templates: desktop
# --x11=nested: an X server of the guest's own in a window. Only the guest reaches it, and it ends with the run.

load helpers
load attacks
load desktop
load x11

# start_nested COMMAND...: starts a run. Sets NESTED to its display number and SERVER to the pid of its server.
start_nested() {
  start_in_guest --x11=nested sh -c 'echo "$DISPLAY"; exec "$@"' sh "$@"
  wait_until 30 grep -q : "$SCRATCH/out" || complain "not started: $(cat "$SCRATCH/err")"
  NESTED=$(sed -n '1s/^://p' "$SCRATCH/out")
  SERVER=$(pgrep -x Xephyr)
}
# Whether nothing is left of the server.
is_gone() {
  server_ended "$SERVER" && has_no_window isolate: && [[ -z $(pgrep -x isolate-x11) ]] &&
    [[ ! -e /tmp/.X11-unix/X$NESTED && ! -e /tmp/.X$NESTED-lock ]] && ! grep -q "X$NESTED\$" /proc/net/unix
}

@test "W3: the guest sees nothing of the host's windows, and has a clipboard of its own" {
  start_victim
  start_server owner "$X11" own "clipboard $MARK"
  server_is_up owner grep -q owned "$DESKTOP/owner.log"
  succeeds in_guest --x11=nested sh -c '/mnt/x11 windows; /mnt/x11 pixels; /mnt/x11 attack 0x7fffff0'
  expect_not_in_output "$MARK"
  expect_not_in_output ff0000
  expect_in_output 'find it in the list of windows: refused'
  expect_in_output 'read the clipboard: refused'
  # What the guest does with its own server does not touch the display.
  has_window "victim $MARK"
  succeeds x11
  [[ $(in_session xprop -root ISOLATE_TEST RESOURCE_MANAGER) != *changed* ]] || complain "root window"
  stop_server owner
  stop_server victim
}

@test "keys that are typed into another window do not reach the guest" {
  start_victim
  start_nested /mnt/x11 listen 0 3
  wait_until 20 grep -q listening "$SCRATCH/out"
  in_session xdotool windowfocus --sync "$VICTIM" keydown a sleep 0.2 keyup a
  end_of_started
  [[ $(grep -c ': refused' "$SCRATCH/out") == 2 ]] || complain "$(cat "$SCRATCH/out")"
  grep -q '^key$' "$DESKTOP/victim.log"
  stop_server victim
}

@test "the window's title names the clone, and the guest's screen follows the window's size" {
  TEMPLATE=desktop start_nested xterm -title "$MARK" -geometry 60x20+20+20 -e sleep "$MARK"
  wait_until 10 has_window 'isolate: desktop-'
  wait_until 20 a_guest_sleeps
  x11 resize 'isolate: desktop-' 700 500
  keep_picture x11-nested
  kill_started TERM
  wait_until 5 is_gone
  start_nested sh -c "while sleep 0.1; do /mnt/x11 screen; done; : $MARK"
  wait_until 10 grep -qx 1280x800 "$SCRATCH/out" || complain "$(cat "$SCRATCH/out")"
  x11 resize 'isolate: debian-' 700 500
  wait_until 10 grep -qx 700x500 "$SCRATCH/out" || complain "$(tail -3 "$SCRATCH/out")"
  kill_started TERM
  wait_until 5 is_gone
}

@test "nothing of the server is on the host, and nothing is left when the run ends or isolate is killed" {
  local signal
  for signal in TERM KILL; do
    start_nested sleep "$MARK"
    wait_until 20 a_guest_sleeps
    [[ ! -e /tmp/.X11-unix/X$NESTED && ! -e /tmp/.X$NESTED-lock ]] || complain "in /tmp"
    [[ $(ss -xl) != *"X$NESTED "* && $(ss -tln) != *":$((6000 + NESTED)) "* ]] || complain "it listens on the host"
    kill_started $signal
    wait_until 5 is_gone || complain "$signal"
    isolatectl gc
  done
}

@test "the server ends when its helper is killed" {
  start_nested sleep "$MARK"
  wait_until 20 a_guest_sleeps
  pkill -KILL -x isolate-x11
  wait_until 5 server_ended "$SERVER"
  wait_until 5 has_no_window isolate:
  kill_started TERM
  is_gone
}

@test "W2: another guest and another user can't reach the server" {
  start_nested sleep "$MARK"
  wait_until 20 a_guest_sleeps
  # They get the cookie, so that it can't be the lack of it that keeps them out.
  cp "/proc/$(pgrep --full "^sleep $MARK" | head -1)/root/tmp/.runtime/Xauthority" "$SCRATCH/cookie"
  chmod 0644 "$SCRATCH/cookie"
  local try
  for try in '' -n --x11=nested; do
    run --separate-stderr in_guest $try -d "$SCRATCH/cookie:/opt/cookie:ro" env "DISPLAY=:$NESTED" XAUTHORITY=/opt/cookie /mnt/x11
    [[ $output == 'no connection' ]] || complain "another guest: $try"
  done
  run setpriv --reuid "$USER_B_UID" --regid "$USER_B_GID" --clear-groups -- \
    env "DISPLAY=:$NESTED" "XAUTHORITY=$SCRATCH/cookie" "$X11"
  expect_output 'no connection'
  run setpriv --reuid "$USER_B_UID" --regid "$USER_B_GID" --clear-groups -- ls "/proc/$SERVER/root/tmp"
  [[ $status != 0 ]] || complain "another user"
  kill_started TERM
  wait_until 5 is_gone
}

@test "root's server does not run as root, and the display's own cookie is not in the guest" {
  start_nested sleep "$MARK"
  wait_until 20 a_guest_sleeps
  if [[ $IDENTITY == root ]]; then
    [[ $(stat -c %u "/proc/$SERVER") -ge 65536 ]] || complain "user $(stat -c %u "/proc/$SERVER")"
  else
    [[ $(stat -c %u "/proc/$SERVER") == "$CALLER_UID" ]] || complain "user $(stat -c %u "/proc/$SERVER")"
  fi
  grep -q 'CapEff:.0000000000000000' "/proc/$SERVER/status"
  grep -q 'NoNewPrivs:.1' "/proc/$SERVER/status"
  kill_started TERM
  wait_until 5 is_gone
}

@test "isolate reports in one line that the server is not installed or does not start" {
  read_session
  fails_plainly 125 isolate 'Xephyr is not installed' xserver-xephyr -- in_private_mounts \
    'mount --bind /dev/null /usr/bin/Xephyr' env "${SESSION[@]}" "$ISOLATE" --store "$STORE" -q -z debian --x11=nested true
  printf '#!/bin/sh\necho "no luck today" >&2; exit 1\n' >"$SCRATCH/broken"
  chmod 0755 "$SCRATCH/broken"
  fails_plainly 125 isolate 'does not start: no luck today' -- in_private_mounts \
    "mount --bind '$SCRATCH/broken' /usr/bin/Xephyr" env "${SESSION[@]}" "$ISOLATE" --store "$STORE" -q -z debian --x11=nested true
}

@test "two guests have two displays" {
  start_nested sh -c "/mnt/x11 show first 00ff00 & exec sleep $MARK"
  succeeds in_guest --x11=nested sh -c 'echo "$DISPLAY"; /mnt/x11 windows'
  refute grep -x ":$NESTED" <<<"$output"
  expect_not_in_output first
  kill_started TERM
  wait_until 5 is_gone
}

@test "in a session that has Wayland only, Xwayland is the server" {
  start_server weston weston --backend=headless-backend.so "--socket=wayland-$MARK" --no-config --width=900 --height=700
  server_is_up weston test -S "$RUNTIME/wayland-$MARK"
  local mode wayland=("XDG_RUNTIME_DIR=$RUNTIME" "WAYLAND_DISPLAY=wayland-$MARK")
  succeeds with_variables "${wayland[@]}" -- -q -z debian -d "$ATTACKS:/mnt:ro" --x11=nested sh -c '/mnt/x11 screen; ls /tmp/.X11-unix'
  [[ ${lines[0]} =~ ^[0-9]+x[0-9]+$ && ${lines[1]} =~ ^X[0-9]{4,5}$ ]] || complain "no screen"
  [[ -z $(pgrep -x Xwayland) ]] || complain "it is still there"
  for mode in trusted untrusted; do
    fails_plainly 125 isolate 'Wayland only' '--x11=nested' -- with_variables "${wayland[@]}" -- -q -z debian --x11=$mode true
  done
  fails_plainly 125 isolate 'the Wayland compositor does not listen there' -- with_variables "XDG_RUNTIME_DIR=$RUNTIME" WAYLAND_DISPLAY=none -- \
    -q -z debian --x11=nested true
  fails_plainly 125 isolate 'Xwayland is not installed' -- in_private_mounts 'mount --bind /dev/null /usr/bin/Xwayland' \
    env "${wayland[@]}" "$ISOLATE" --store "$STORE" -q -z debian --x11=nested true
  stop_server weston
}
