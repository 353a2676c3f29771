# variants: user-bwrap root-lxc: one of each
# other variants: root-native user-native
# templates: desktop
# --desktop in a Wayland session, without X11 and with it.

load helpers
load desktop

setup_file() {
  make_desktop
  start_weston
}
teardown_file() { remove_desktop; }

@test "in a Wayland session the guest gets its display, and isolate does not warn that X11 is missing" {
  read_session
  run --separate-stderr with_variables "${SESSION[@]}" -- -z desktop --desktop \
    sh -c 'wayland-info | grep -o wl_compositor; echo "${WAYLAND_DISPLAY:+set} $DISPLAY$XDG_RUNTIME_DIR"'
  expect_status 0
  expect_output "wl_compositor
set /tmp/.runtime"
  [[ $stderr != *--x11* ]]
}

@test "in a session with both the guest gets both" {
  start_xvfb
  succeeds on_desktop --desktop sh -c 'wayland-info | grep -o wl_compositor; xdpyinfo | grep -c "^screen #"'
  stop_server xvfb
  expect_output $'wl_compositor\n1'
}
