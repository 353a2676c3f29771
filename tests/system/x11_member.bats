# variants: root-bwrap: the daemon serves root's stores alone
# The caller's display in a clone that the daemon leases to a member.

load helpers
load stores
load daemon
load attacks
load desktop
load x11
only_kinds overlay

SIZE=1

setup_file() {
  make_daemon "$SIZE"
  place_attacks
  make_desktop
  # shellcheck disable=SC2034  # desktop.bash uses it
  SERVER_OWNER=(setpriv --reuid "$USER_A_UID" --regid "$USER_A_GID" --clear-groups --)
  start_xvfb +extension SECURITY
  # The file with the cookie belongs to the member.
  chown "$USER_A_UID" "$DESKTOP/xauthority"
  X11=$ATTACKS/x11
  export X11 DISPLAY_NUMBER
}
teardown_file() {
  remove_desktop
  remove_attacks
  remove_daemon
}
with_display() { member env "DISPLAY=:$DISPLAY_NUMBER" "XAUTHORITY=$DESKTOP/xauthority" "$ISOLATE" "$@"; }

@test "a member's guest reaches the display in every mode, with either engine and either identity" {
  local mode engine
  for mode in trusted untrusted nested; do
    for engine in bwrap lxc; do
      succeeds with_display -q -e "$engine" -z overlay:deb -d "$ATTACKS:/mnt:ro" --x11=$mode /mnt/x11 windows
      settles overlay "$SIZE"
    done
    succeeds with_display -q -z overlay:deb --userns=private -d "$ATTACKS:/mnt:ro" --x11=$mode /mnt/x11 windows
    settles overlay "$SIZE"
  done
}

@test "isolate refuses another member's display in one line" {
  fails_plainly 125 isolate "belongs to user $USER_A_UID" -- member_b env "DISPLAY=:$DISPLAY_NUMBER" "$ISOLATE" -z overlay:deb -1 true
  settles overlay "$SIZE"
}

@test "a killed run leaves neither server nor cookie nor lease" {
  local mode
  for mode in untrusted nested; do
    start_words MEMBER env "DISPLAY=:$DISPLAY_NUMBER" "XAUTHORITY=$DESKTOP/xauthority" "$ISOLATE" -q -z overlay:deb \
      --x11=$mode sleep "$MARK"
    wait_until 20 a_guest_sleeps || complain "$mode: $(cat "$SCRATCH/out.err")"
    kill_started KILL
    wait_until 5 no_process_with 'isolate-x11|Xephyr' || complain "$mode: $(pgrep --full --list-full 'isolate-x11|Xephyr')"
    settles overlay "$SIZE"
  done
}
