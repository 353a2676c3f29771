# What the tests of --x11 share. Load it behind helpers, attacks and desktop.
# shellcheck shell=bash
# shellcheck disable=SC2034,SC2154  # the test files use them; others set them

setup_file() {
  place_attacks
  prepare_x11
}
teardown_file() {
  remove_desktop
  remove_attacks
}

# The display with everything that untrusted and trusted differ in, and the client that tries it.
prepare_x11() {
  make_desktop
  start_xvfb +extension SECURITY +extension XTEST
  X11=$ATTACKS/x11
  export X11 DISPLAY_NUMBER
}
# Clients of the display on the host, and in a guest.
x11() { in_session "$X11" "$@"; }
# The template "debian" has no init that would have to boot with lxc; a test that needs a program of "desktop" sets TEMPLATE.
in_guest() { TEMPLATE=${TEMPLATE:-debian} on_desktop -d "$ATTACKS:/mnt:ro" "$@"; }
start_in_guest() { TEMPLATE=${TEMPLATE:-debian} start_on_desktop -d "$ATTACKS:/mnt:ro" "$@"; }

# A window of the host's that others must leave alone; its number is in VICTIM. See the log for the keys it gets.
start_victim() {
  start_server victim "$X11" show "victim $MARK" ff0000
  server_is_up victim grep -q '^[0-9]' "$DESKTOP/victim.log"
  VICTIM=$(grep -m 1 '^[0-9]' "$DESKTOP/victim.log")
}

has_window() { x11 windows | grep -qF -- "$1"; }
has_no_window() { ! has_window "$1"; }
is_empty_screen() { [[ $(x11 pixels | wc -l) == 1 ]]; }

is_no_empty_screen() { ! is_empty_screen; }

# keep_picture NAME: of the whole screen, for people to look at.
keep_picture() {
  local folder=$HELPERS/../../build/pictures
  mkdir -p "$folder"
  in_session import -window root png:- >"$folder/$1-$IDENTITY-$ENGINE.png"
}

# A further server for one test: start_other NAME OPTION OF XVFB...: its display is in OTHER.
start_other() {
  local name=$1
  shift
  start_server "$name" Xvfb -displayfd 1 -screen 0 640x480x24 -nolisten tcp -noreset "$@"
  server_is_up "$name" grep -qx '[0-9]\+' "$DESKTOP/$name.log"
  OTHER=$(grep -x '[0-9]\+' "$DESKTOP/$name.log")
}
# A display number that no other worker uses. A server that Xvfb numbers itself gets a low one, and when it ends, another
# worker's server may get that number.
own_number() { echo $((700 + ${WORK##*/})); }
# authority_for NUMBER: a file in OTHER_AUTHORITY with the session's cookie for another display.
authority_for() {
  OTHER_AUTHORITY=$SCRATCH/authority
  as_caller xauth -q -f "$OTHER_AUTHORITY" add ":$1" . \
    "$(xauth -i -f "$DESKTOP/xauthority" list | awk 'NR == 1 { print $3 }')" 2>/dev/null
}
# A run on this display: on_other OPTION... COMMAND...
on_other() {
  with_variables "DISPLAY=:$OTHER" "XAUTHORITY=${OTHER_AUTHORITY:-$DESKTOP/xauthority}" -- -q -z debian \
    -d "$ATTACKS:/mnt:ro" "$@"
}
