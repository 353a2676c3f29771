# variants: root-bwrap user-lxc: each identity and each engine once
# other variants: user-bwrap root-lxc user-native root-native
# templates: desktop
# --x11=untrusted: what the server refuses to a guest and what it does not, as SECURITY.md says; and how long the cookie
# is valid.

load helpers
load attacks
load desktop
load x11

@test "W3: an untrusted guest can do with other windows what SECURITY.md says, and no more" {
  start_victim
  start_server owner "$X11" own "clipboard $MARK"
  server_is_up owner grep -q owned "$DESKTOP/owner.log"
  in_session xprop -root -f ISOLATE_SECRET 8s -set ISOLATE_SECRET x
  succeeds in_guest --x11=untrusted /mnt/x11 attack "$VICTIM"
  expect_output "take a picture of it: refused (BadAccess)
take a picture of the root window: refused (BadAccess)
copy its picture: refused (BadAccess)
see it through a window without background: refused
find it in the list of windows: allowed
become the window manager: refused (BadAccess)
be told of new windows: allowed
move it: refused (BadAccess)
put a window into it: refused (BadAccess)
draw into it: refused (BadAccess)
grab the keyboard: refused (BadAccess)
grab the pointer: refused (BadAccess)
grab a key for itself: refused (BadAccess)
stop all other clients (GrabServer): allowed
press a key by XTEST: refused (no such extension)
release a key by XTEST: refused (no such extension)
send it a made-up key: refused (BadWindow)
move the pointer: allowed
take the keyboard's focus from it: refused
write a property of the root window: refused (BadAccess)
write RESOURCE_MANAGER of the root window: refused (BadAccess)
read a property of the root window: allowed
read its title: allowed
change its title: refused (BadAccess)
read the clipboard: allowed (clipboard $MARK)
take the clipboard: allowed
let other users connect (ChangeHosts): refused (BadAccess)
switch access control off: refused (BadAccess)
read who may connect (ListHosts): refused (BadAccess)
make a trusted cookie: refused (no such extension)
change the keyboard's layout: refused (BadAccess)
ring the bell: refused (BadAccess)
change the keyboard's repeat: refused (BadAccess)
change the screen saver: allowed
close its program's connection (KillClient): refused (BadAccess)"
  # The host's program that lost the clipboard goes on. Control: a trusted guest sees what this one does not.
  succeeds in_guest -1 /mnt/x11 attack "$VICTIM"
  [[ ${lines[0]} == "take a picture of it: allowed (ff0000)" ]] || complain "trusted"
  wait_until 5 server_ended "$(cat "$DESKTOP/victim.pid")" # by KillClient
  rm "$DESKTOP/victim.pid"
  stop_server owner
}

@test "I6: keys that are typed into another window reach a trusted guest, but not an untrusted one" {
  local mode expected
  start_victim
  in_session xdotool windowfocus --sync "$VICTIM"
  for mode in untrusted trusted; do
    if [[ $mode == trusted ]]; then expected=allowed; else expected=refused; fi
    start_in_guest --x11=$mode /mnt/x11 listen "$VICTIM" 2
    wait_until 20 grep -q listening "$SCRATCH/out" || complain "$mode: $(cat "$SCRATCH/err")"
    in_session xdotool keydown a sleep 0.2 keyup a
    end_of_started
    [[ $(grep -c ": $expected" "$SCRATCH/out") == 2 ]] || complain "$mode: $(cat "$SCRATCH/out")"
  done
  grep -q '^key$' "$DESKTOP/victim.log" # they were typed
  stop_server victim
}

@test "the guest stays untrusted if the server accepts the caller's clients without a cookie" {
  start_other open -ac +extension SECURITY
  authority_for "$OTHER"
  succeeds on_other --x11=untrusted /mnt/x11 press
  expect_in_output 'press a key by XTEST: refused (no such extension)'
  succeeds on_other --x11=trusted /mnt/x11 press
  expect_in_output 'press a key by XTEST: allowed'
  run --separate-stderr on_other --x11=untrusted env -u XAUTHORITY /mnt/x11
  expect_output 'no connection'
  # With the host's network the abstract socket is a way around the cookie.
  local mode
  for mode in untrusted nested; do
    fails_plainly 125 isolate 'abstract socket' -- on_other -n --x11=$mode true
  done
  succeeds on_other -n --x11=trusted /mnt/x11
  stop_server open
}

@test "the guest stays untrusted if it outlives the X server" {
  install -d -o "$CALLER_UID" -g "$CALLER_GID" "$SCRATCH/signs"
  # The next server on this display does not know the cookie. It would accept and trust the caller's clients without a
  # cookie, and the relay is such a client.
  start_other first ":$(own_number)" -ac +extension SECURITY
  authority_for "$OTHER"
  start env "DISPLAY=:$OTHER" "XAUTHORITY=$OTHER_AUTHORITY" "$ISOLATE" --store "$STORE" -q -z debian \
    -d "$ATTACKS:/mnt:ro" -d "$SCRATCH/signs:/signs" --x11=untrusted \
    sh -c '/mnt/x11 press; echo; until test -e /signs/next; do sleep 0.1; done; /mnt/x11 press'
  wait_until 20 grep -q '^$' "$SCRATCH/out" || complain "no guest: $(cat "$SCRATCH/err")"
  stop_server first
  start_server next Xvfb ":$OTHER" -screen 0 640x480x24 -nolisten tcp -noreset -ac +extension SECURITY
  server_is_up next as_caller env "DISPLAY=:$OTHER" "$X11"
  touch "$SCRATCH/signs/next"
  end_of_started
  [[ $(cat "$SCRATCH/out") == "press a key by XTEST: refused (no such extension)
release a key by XTEST: refused (no such extension)

no connection" ]] || complain "$(cat "$SCRATCH/out")"
  stop_server next
}

@test "with the host's network the server refuses a guest without its cookie at the abstract socket, too" {
  local mode
  for mode in untrusted nested; do
    run --separate-stderr in_guest -n --x11=$mode sh -c "DISPLAY=:$DISPLAY_NUMBER; unset XAUTHORITY; /mnt/x11"
    [[ $status == 1 && $output == 'no connection' ]] || complain "$mode"
  done
}

@test "isolate reports a server without the SECURITY extension in one line, before it makes anything" {
  start_other plain -auth "$DESKTOP/xauthority" -extension SECURITY
  authority_for "$OTHER"
  fails_plainly 125 isolate 'no SECURITY extension' '--x11=nested' -- on_other --x11=untrusted true
  stop_server plain
}

# The cookie of the started guest, in a file for a client on the host.
take_cookie() {
  wait_until 20 a_guest_sleeps || complain "no guest: $(cat "$SCRATCH/err")"
  base64 -d "$SCRATCH/out" >"$SCRATCH/taken"
  chown "$CALLER_UID" "$SCRATCH/taken"
}
start_taken() { start_in_guest --x11=untrusted sh -c "base64 -w 0 /tmp/.runtime/Xauthority; exec sleep $MARK"; }
cookie_is_valid() { as_caller env "DISPLAY=:$DISPLAY_NUMBER" "XAUTHORITY=$SCRATCH/taken" "$X11" >/dev/null; }
cookie_is_invalid() { ! cookie_is_valid; }

@test "the cookie is valid while the run lasts, and not after its end" {
  start_taken
  take_cookie
  # Without a window the server would forget it after five seconds, if isolate did not stay connected.
  sleep 6
  cookie_is_valid
  kill_started TERM
  cookie_is_invalid
}

@test "W1: the cookie is invalid at once when isolate is killed, and soon when its helper is killed as well" {
  start_taken
  take_cookie
  cookie_is_valid
  kill_started KILL
  wait_until 2 cookie_is_invalid
  isolatectl gc
  start_taken
  take_cookie
  cookie_is_valid
  pkill -KILL --parent "$STARTED_PID" -x isolate-x11
  kill_started KILL
  # The server forgets it five seconds after the last client. Trying it earlier would make it last longer.
  sleep 7
  cookie_is_invalid
  isolatectl gc
}

@test "the helper ends when isolate is killed, even if the X server does not answer" {
  local pid
  start_other hung -auth "$DESKTOP/xauthority" +extension SECURITY
  authority_for "$OTHER"
  start env "DISPLAY=:$OTHER" "XAUTHORITY=$OTHER_AUTHORITY" "$ISOLATE" --store "$STORE" -q -z debian --x11=untrusted sleep "$MARK"
  wait_until 20 a_guest_sleeps || complain "no guest: $(cat "$SCRATCH/err")"
  pid=$(pgrep --parent "$STARTED_PID" -x isolate-x11)
  kill -STOP "$(cat "$DESKTOP/hung.pid")"
  kill_started KILL
  wait_until 10 server_ended "$pid" || complain "the helper is still there"
  kill -CONT "$(cat "$DESKTOP/hung.pid")"
  stop_server hung
  isolatectl gc
}

@test "windows of an untrusted guest are on the display" {
  start_on_desktop --x11=untrusted xterm -title "$MARK" -geometry 40x10+50+50 -e sleep "$MARK"
  wait_until 20 has_window "$MARK" || complain "no window: $(cat "$SCRATCH/err")"
  wait_until 10 is_no_empty_screen
  keep_picture x11-untrusted
  kill_started TERM
  wait_until 5 is_empty_screen
}
