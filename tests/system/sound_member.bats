# variants: root-bwrap: the daemon serves root's stores alone
# templates: desktop compositor
# The caller's sound server and Wayland compositor in a clone that the daemon leases to a member.

load helpers
load stores
load daemon
load desktop
only_kinds overlay

SIZE=1

setup_file() {
  TARBALL=$DESKTOP_TARBALL make_daemon "$SIZE"
  servers_of_member
  make_desktop
  start_pulse
  # The compositor's root. Its files belong to the member, because the compositor runs as the member.
  install -d -m 0755 -o "$USER_A_UID" -g "$USER_A_GID" "$DESKTOP/compositor"
  "${SERVER_OWNER[@]}" tar --extract --no-same-owner --exclude './dev/*' --file "$COMPOSITOR_TARBALL" \
    --directory "$DESKTOP/compositor"
  start_sway
}
teardown_file() {
  remove_desktop
  remove_daemon
}
setup() {
  daemon_setup
  servers_of_member
}

# shellcheck disable=SC2034 # desktop.bash uses them
servers_of_member() {
  SERVER_OWNER=(env -i "HOME=$WORK/home-$USER_A" PATH=/usr/sbin:/usr/bin:/sbin:/bin
    setpriv --reuid "$USER_A_UID" --regid "$USER_A_GID" --clear-groups --)
  SWAY_ROOT=$DESKTOP/compositor
  CALLER_UID=$USER_A_UID
  CALLER_GID=$USER_A_GID
}
in_member_session() {
  read_session
  member env "${SESSION[@]}" "$ISOLATE" -q -z overlay:deb "$@"
}

@test "a tone that a member's guest plays is heard outside, with either engine and either identity" {
  local options
  make_tone 440 0.5
  for options in '' '-e lxc' '--userns=private'; do
    # shellcheck disable=SC2086
    hears 440 in_member_session $options -2 -d "$SCRATCH/tone.wav:/tone.wav:ro" paplay /tone.wav
    settles overlay "$SIZE"
  done
}

@test "the compositor restricts a member's guest, and forgets it after the run" {
  local options
  for options in '' '-e lxc' '--userns=private'; do
    # shellcheck disable=SC2086
    succeeds in_member_session $options --wayland wayland-info
    refute grep restrict <<<"$stderr"
    expect_in_output xdg_wm_base
    expect_not_in_output zwlr_screencopy_manager_v1
    settles overlay "$SIZE"
  done
}

@test "isolate refuses another member's servers in one line" {
  read_session
  fails_plainly 125 isolate --pulse -- member_b env "${SESSION[@]}" "$ISOLATE" -z overlay:deb -2 true
  chmod 0711 "$RUNTIME" "$RUNTIME/pulse"
  fails_plainly 125 isolate "belongs to user $USER_A_UID" -- member_b env "${SESSION[@]}" PULSE_COOKIE= "$ISOLATE" \
    -z overlay:deb -2 true
  chmod 0700 "$RUNTIME" "$RUNTIME/pulse"
  settles overlay "$SIZE"
}

@test "a killed run leaves nothing" {
  read_session
  start_words MEMBER env "${SESSION[@]}" "$ISOLATE" -q -z overlay:deb -2 --wayland sh -c \
    "pactl info >/dev/null && wayland-info >/dev/null && exec sleep $MARK"
  wait_until 20 a_guest_sleeps || complain "$(cat "$SCRATCH/out.err")"
  kill_started KILL
  wait_until 5 no_process_with "$MARK"
  settles overlay "$SIZE"
}
