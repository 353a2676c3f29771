# variants: root-bwrap user-lxc: root's guest may not write to the compositor's socket, a user's guest may
# other variants: user-bwrap root-lxc user-native root-native
# templates: desktop compositor
# --wayland gives the guest the caller's Wayland display. A compositor that has security contexts (sway) hides from the
# guest what a confined program may not use. With a compositor that lacks them (weston) isolate warns.

load helpers
load desktop

setup_file() {
  make_desktop
  cp -a "$DESKTOP/session" "$DESKTOP/session-of-both"
  start_weston
  mv "$DESKTOP/session" "$DESKTOP/session-of-weston"
  mv "$DESKTOP/session-of-both" "$DESKTOP/session"
  start_sway
}
teardown_file() { remove_desktop; }

on_weston() {
  mapfile -t SESSION <"$DESKTOP/session-of-weston"
  with_variables "${SESSION[@]}" -- -q -z desktop --wayland "$@"
}
on_sway() { on_desktop --wayland "$@"; }

windows_of_sway() { beside_sway swaymsg -t get_tree; }
sway_shows() { windows_of_sway | grep -q "$1"; }

@test "the compositor shows a window from inside, and the window closes with the run" {
  start_on_desktop --wayland -v GDK_BACKEND=wayland yad --title "yad $MARK"
  wait_until 20 sway_shows "yad $MARK" || complain "$(cat "$SCRATCH/err" "$DESKTOP/sway.log")"
  kill_started KILL
  wait_until 5 no_process_with "$MARK"
  isolatectl gc
  wait_until 5 sway_hides "yad $MARK"
}
sway_hides() { ! sway_shows "$1"; }

@test "a compositor with security contexts hides the screen and other privileged things, also with other engines" {
  local options
  # The control: programs outside may take screenshots.
  succeeds beside_sway wayland-info
  expect_in_output zwlr_screencopy_manager_v1
  expect_in_output zwlr_data_control_manager_v1
  expect_in_output zwp_virtual_keyboard_manager_v1
  expect_in_output wp_security_context_manager_v1
  for options in '' '-e chroot' '--userns=private'; do
    # shellcheck disable=SC2086
    succeeds on_sway $options wayland-info
    refute grep restrict <<<"$stderr"
    expect_in_output xdg_wm_base
    expect_not_in_output zwlr_screencopy_manager_v1
    expect_not_in_output zwlr_data_control_manager_v1
    expect_not_in_output zwp_virtual_keyboard_manager_v1
    expect_not_in_output wp_security_context_manager_v1
  done
}

@test "the compositor learns that isolate confines the guest, and the names of its template and clone" {
  # A system that boots may give itself another name than the clone's.
  succeeds on_sway -e bwrap uname -n
  sway_was_told 'set_sandbox_engine("isolate")'
  sway_was_told 'set_app_id("desktop")'
  sway_was_told "set_instance_id(\"$output\")"
}
# libwayland writes # or @ between an object's interface and its number.
sway_was_told() { grep -q "wp_security_context_v1[#@][0-9]*\.$1" "$DESKTOP/sway.log" || complain "not told: $1"; }

@test "the compositor forgets a run that has ended or was killed" {
  local before pid
  pid=$(pgrep --full -- '^sway -c /tmp/config$')
  succeeds on_sway true
  before=$(settled_descriptors_of "$pid")
  start_on_desktop --wayland sh -c "wayland-info >/dev/null && exec sleep $MARK"
  wait_until 20 a_guest_sleeps
  [[ $(descriptors_of "$pid") -gt $before ]] || complain "the compositor listens nowhere"
  kill_started KILL
  isolatectl gc
  wait_until 5 descriptors_are "$pid" "$before" || complain "$before descriptors have become $(descriptors_of "$pid")"
}
descriptors_of() { find "/proc/$1/fd" -mindepth 1 -maxdepth 1 | wc -l; }
# Prints their number when it has stayed the same for a second: a compositor may still have to notice that clients have gone.
settled_descriptors_of() {
  local now last='' same=0
  for _ in {1..100}; do
    now=$(descriptors_of "$1")
    if [[ $now == "$last" ]]; then same=$((same + 1)); else same=0; fi
    ((same < 10)) || break
    last=$now
    sleep 0.1
  done
  echo "$now"
}
descriptors_are() { [[ $(descriptors_of "$1") == "$2" ]]; }

@test "with a compositor without security contexts isolate warns and goes on" {
  local options
  for options in '' '-e chroot' '--userns=private'; do
    # shellcheck disable=SC2086
    succeeds on_weston $options wayland-info
    expect_in_output wl_compositor
    expect_in_errors "can't restrict the guest"
    [[ $(grep -c -- --wayland <<<"$stderr") == 1 ]] || complain "lines"
  done
}

@test "with -t the directory stays as it was" {
  local before tree
  tree=$(desktop_tree)
  before=$(fingerprint_of_desktop)
  read_session
  succeeds with_variables "${SESSION[@]}" -- -q -e bwrap -t "$tree" --wayland wayland-info
  expect_in_output xdg_wm_base
  fingerprint_of_desktop | diff <(echo "$before") - || complain "the tree was changed"
}

@test "isolate reports in one line: no compositor, no XDG_RUNTIME_DIR; a path in WAYLAND_DISPLAY needs no XDG_RUNTIME_DIR" {
  refused --wayland 'does not listen there' wayland-0 -- WAYLAND_DISPLAY=
  refused 'XDG_RUNTIME_DIR is not set' -- XDG_RUNTIME_DIR=
  refused 'is not a socket' -- "WAYLAND_DISPLAY=$ISOLATE"
  read_session
  succeeds with_variables "${SESSION[@]}" XDG_RUNTIME_DIR= "WAYLAND_DISPLAY=$RUNTIME/wayland-1" -- -q -z desktop \
    --wayland sh -c 'ls -A /tmp/.runtime; echo "$WAYLAND_DISPLAY"'
  expect_output $'wayland-0\nwayland-0'
}
refused() { refused_share --wayland "$@"; }

# bats test_tags=once
@test "isolate reports in one line a server that answers wrongly or not at all" {
  speak() {
    "${CALLER[@]}" /usr/bin/python3 -c '
import socket, sys
server = socket.socket(socket.AF_UNIX)
server.bind(sys.argv[1])
server.listen()
while True:
    client = server.accept()[0]
    client.sendall(b"x" * int(sys.argv[2]))' "$SCRATCH/$1" "$2" "$MARK" 3>&- &
    STARTED+=($!)
    wait_until 5 test -S "$SCRATCH/$1"
  }
  speak strange 64
  isolate_refuses --wayland compositor -- with_variables "WAYLAND_DISPLAY=$SCRATCH/strange" -- -z desktop --wayland true
  speak silent 0
  isolate_refuses --wayland compositor -- with_variables "WAYLAND_DISPLAY=$SCRATCH/silent" -- -z desktop --wayland true
}
