# variants: root-bwrap user-lxc: each identity and each engine once; x11_modes has the other pairs
# other variants: user-bwrap root-lxc user-native root-native
# templates: desktop
# -1 shows a guest's windows on the caller's display, and isolate reports what is missing for that.

load helpers
load attacks
load desktop
load x11

@test "the window of the template's xterm is on the display and in a screenshot, and gone after the run" {
  is_empty_screen
  start_on_desktop -1 xterm -title "$MARK" -geometry 60x20+100+100 -e sh -c "echo; echo ' in a guest of isolate'; sleep $MARK"
  wait_until 20 has_window "$MARK" || complain "no window: $(cat "$SCRATCH/err")"
  wait_until 10 is_shown "$MARK" || complain "not shown"
  wait_until 10 is_no_empty_screen
  keep_picture x11-xterm
  kill_started TERM
  wait_until 5 has_no_window "$MARK"
  wait_until 5 is_empty_screen
}

is_shown() { in_session xwininfo -name "$1" 2>/dev/null | grep -q 'Map State: IsViewable'; }

@test "the guest gets the display, a private cookie, and nothing else" {
  succeeds in_guest -1 sh -c 'echo "$DISPLAY $XAUTHORITY $XDG_RUNTIME_DIR"; ls /tmp/.X11-unix
    stat -c "%a %u %n" /tmp/.runtime /tmp/.runtime/Xauthority; ls -A /tmp'
  expect_output ":$DISPLAY_NUMBER /tmp/.runtime/Xauthority /tmp/.runtime
X$DISPLAY_NUMBER
700 0 /tmp/.runtime
600 0 /tmp/.runtime/Xauthority
.X11-unix
.runtime"
}

@test "without the cookie the server refuses a guest, in every mode" {
  local mode
  for mode in trusted untrusted nested; do
    succeeds in_guest --x11=$mode /mnt/x11
    run --separate-stderr in_guest --x11=$mode env -u XAUTHORITY /mnt/x11
    [[ $status == 1 && $output == "no connection" ]] || complain "$mode"
  done
}

@test "--x11 works with the chroot engine, too" {
  local mode
  for mode in trusted untrusted nested; do
    succeeds in_guest -e chroot --x11=$mode /mnt/x11
  done
}

@test "isolate reports a missing or wrong display in one line, before it makes anything" {
  local cookie=$DESKTOP/xauthority
  refuses_display '' "$cookie" 'DISPLAY is not set'
  refuses_display 'localhost:10.0' "$cookie" 'of another machine'
  refuses_display 'host.example:0' "$cookie" 'of another machine'
  refuses_display ':nine' "$cookie" 'not of the form'
  refuses_display "$(printf ':0\nx')" "$cookie" 'not of the form'
  refuses_display ':58123' "$cookie" 'no X server answers'
  refuses_display "$SCRATCH/none" "$cookie" 'no such socket'
  refuses_display ":$DISPLAY_NUMBER" /dev/null 'there is no cookie'
  refuses_display ":$DISPLAY_NUMBER" "$SCRATCH/none" 'there is no cookie'
  as_caller xauth -q -f "$SCRATCH/wrong" add ":$DISPLAY_NUMBER" . 00112233445566778899aabbccddeeff 2>/dev/null
  refuses_display ":$DISPLAY_NUMBER" "$SCRATCH/wrong" 'refuses the cookie'
  isolate_refuses "'other' is not one of trusted, untrusted and nested" -- isolate -z debian --x11=other true
}
# refuses_display DISPLAY XAUTHORITY TEXT
refuses_display() {
  local mode
  for mode in trusted nested; do
    fails_plainly 125 isolate "$3" -- with_variables "DISPLAY=$1" "XAUTHORITY=$2" -- -q -z debian --x11=$mode true
  done
}

@test "isolate refuses a server that belongs to another user" {
  SERVER_OWNER=(setpriv --reuid "$USER_B_UID" --regid "$USER_B_GID" --clear-groups --)
  start_other theirs -ac
  fails_plainly 125 isolate "belongs to user $USER_B_UID" -- on_other -1 true
  # After sudo, the display is that of the user who became root.
  if [[ $IDENTITY == root ]]; then
    succeeds with_variables "DISPLAY=:$OTHER" "SUDO_UID=$USER_B_UID" -- -q -z debian -d "$ATTACKS:/mnt:ro" -1 /mnt/x11
  fi
  stop_server theirs
}

@test "an ordinary user can use an X server of root's" {
  # shellcheck disable=SC2034  # desktop.bash uses it
  SERVER_OWNER=(env)
  start_other roots -auth "$DESKTOP/xauthority" +extension SECURITY
  authority_for "$OTHER"
  succeeds on_other -1 /mnt/x11
  stop_server roots
}

@test "a display works that has only an abstract socket, or whose socket is in another directory" {
  start_other abstract -auth "$DESKTOP/xauthority" -nolisten unix +extension SECURITY
  [[ ! -e /tmp/.X11-unix/X$OTHER ]]
  local mode
  authority_for "$OTHER"
  for mode in trusted untrusted nested; do
    succeeds on_other --x11=$mode /mnt/x11
    succeeds on_other --x11=$mode --userns=private /mnt/x11
  done
  stop_server abstract
  mkdir -m 0755 "/tmp/x11-$MARK"
  ln "/tmp/.X11-unix/X$DISPLAY_NUMBER" "/tmp/x11-$MARK/socket"
  authority_for 0
  for mode in trusted untrusted nested; do
    run --separate-stderr with_variables "DISPLAY=/tmp/x11-$MARK/socket" "XAUTHORITY=$OTHER_AUTHORITY" -- -q -z debian --x11=$mode \
      -d "$ATTACKS:/mnt:ro" /mnt/x11
    [[ $status == 0 ]] || { rm -r "/tmp/x11-$MARK" && complain "$mode"; }
  done
  rm -r "/tmp/x11-$MARK"
}
@test "a guest with other ids reaches a server that only the caller may connect to" {
  chmod 0700 "/tmp/.X11-unix/X$DISPLAY_NUMBER"
  run --separate-stderr in_guest -1 --userns=private /mnt/x11
  chmod 0777 "/tmp/.X11-unix/X$DISPLAY_NUMBER"
  expect_status 0
}

@test "with -t the directory stays as it was" {
  copy_of_tree "$SCRATCH/tree"
  rm -rf --one-file-system "$SCRATCH/tree/tmp" "$SCRATCH/tree/usr/lib/python3"
  as_caller mkdir -m 1777 "$SCRATCH/tree/tmp"
  read_session
  # LXC makes and removes something in the top directory in each run, so its times differ anyway.
  fingerprint "$SCRATCH/tree" | tail -n +2 >"$SCRATCH/before"
  local mode
  for mode in trusted untrusted nested; do
    succeeds with_variables "${SESSION[@]}" -- -q -t "$SCRATCH/tree" -d "$ATTACKS:/mnt:ro" --x11=$mode /mnt/x11
  done
  fingerprint "$SCRATCH/tree" | tail -n +2 >"$SCRATCH/after"
  diff "$SCRATCH/before" "$SCRATCH/after"
}

@test "W1: a cookie is in no argument list, no environment and no file that others may read" {
  local mode
  for mode in trusted untrusted nested; do
    start_in_guest --x11=$mode sh -c "od -An -v -tx1 /tmp/.runtime/Xauthority | tr -d ' \n'; echo; exec sleep $MARK"
    wait_until 20 a_guest_sleeps || complain "$mode: $(cat "$SCRATCH/err")"
    /usr/bin/python3 -I -S "$HELPERS/find_secret.py" "$(tail -c 33 "$SCRATCH/out" | head -c 32)" || complain "$mode"
    kill_started TERM
  done
}

@test "isolate does not wait for a pipe in place of the file with the cookie" {
  mkfifo "$SCRATCH/pipe"
  chmod 0666 "$SCRATCH/pipe"
  fails_plainly 125 isolate 'no cookie' -- as_caller timeout -s KILL 10 env "DISPLAY=:$DISPLAY_NUMBER" \
    "XAUTHORITY=$SCRATCH/pipe" "$ISOLATE" --store "$STORE" -q -z debian -1 true
}

@test "a relay does not connect the guest to another user's server that takes the place of the display's" {
  # Through a socket that admits only the caller, or with root's guests, a guest needs a relay.
  start_other first ":$(own_number)" -auth "$DESKTOP/xauthority"
  authority_for "$OTHER"
  chmod 0600 "/tmp/.X11-unix/X$OTHER"
  chown "$CALLER_UID" "/tmp/.X11-unix/X$OTHER"
  install -d -m 0777 "$SCRATCH/signs"
  start env "DISPLAY=:$OTHER" "XAUTHORITY=$OTHER_AUTHORITY" "$ISOLATE" --store "$STORE" -q -z debian --userns=private \
    -d "$ATTACKS:/mnt:ro" -d "$SCRATCH/signs:/signs" -1 \
    sh -c '/mnt/x11 && echo connected; until test -e /signs/next; do sleep 0.1; done; /mnt/x11 && echo connected'
  wait_until 20 grep -q '^connected$' "$SCRATCH/out" || complain "no guest: $(cat "$SCRATCH/out" "$SCRATCH/err")"
  stop_server first
  # shellcheck disable=SC2034  # desktop.bash uses it
  SERVER_OWNER=(setpriv --reuid "$USER_B_UID" --regid "$USER_B_GID" --clear-groups --)
  start_server next Xvfb ":$OTHER" -screen 0 640x480x24 -nolisten tcp -noreset -ac
  unset SERVER_OWNER
  server_is_up next env "DISPLAY=:$OTHER" "$X11"
  touch "$SCRATCH/signs/next"
  end_of_started
  [[ $(cat "$SCRATCH/out") == $'connected\nno connection' ]] || complain "$(cat "$SCRATCH/out")"
  stop_server next
}
