# Private servers of a desktop, and runs of isolate that use them. Load this after helpers. A test file that loads it has
# the line "# templates: desktop", and calls make_desktop in setup_file and remove_desktop in teardown_file. It starts
# servers in setup_file for all its tests, or in one test. A server runs as the identity, or as $SERVER_OWNER if that is set.
#
#   DESKTOP        the test file's directory, with NAME.pid and NAME.log of each server
#   RUNTIME        XDG_RUNTIME_DIR of the identity
#   SESSION        the variables of the session, NAME=VALUE; start_xvfb and others add theirs
# shellcheck shell=bash
# shellcheck disable=SC2034,SC2154  # the test files use them; others set them

DESKTOP=$WORK/desktop
RUNTIME=$DESKTOP/run

make_desktop() {
  mkdir -m 0755 "$DESKTOP"
  mkdir -m 0700 "$RUNTIME"
  chown "$CALLER_UID:$CALLER_GID" "$RUNTIME"
  echo "XDG_RUNTIME_DIR=$RUNTIME" >"$DESKTOP/session"
}
remove_desktop() {
  local file status=0
  for file in "$DESKTOP"/*.pid; do
    [[ ! -e $file ]] || stop_server "$(basename "$file" .pid)" || status=1
  done
  rm -rf --one-file-system "$DESKTOP" || status=1
  return "$status"
}

# Sets SESSION to the variables that the servers have added so far.
read_session() { mapfile -t SESSION <"$DESKTOP/session"; }
add_to_session() { printf '%s\n' "$@" >>"$DESKTOP/session"; }

# Runs isolate in the session, on a clone of the template "desktop", or "browser" with TEMPLATE=browser.
on_desktop() {
  read_session
  with_variables "${SESSION[@]}" -- -q -z "${TEMPLATE:-desktop}" "$@"
}
# Does the same in the background; see start().
start_on_desktop() {
  read_session
  start env "${SESSION[@]}" "$ISOLATE" --store "$STORE" -q -z "${TEMPLATE:-desktop}" "$@"
}
# Runs a program of the host in the session.
in_session() {
  read_session
  as_caller env "${SESSION[@]}" "$@"
}
# The directory with the template's files, for -t. Tests must not change it. So they use the engine bwrap, because root's
# containers boot the template's init, which writes to its root.
desktop_tree() { echo "$STORE/templates/${1:-desktop}/layers/1"; }
# A text that stays the same as long as these files do. /usr is left out, because it is large.
fingerprint_of_desktop() {
  local tree
  tree=$(desktop_tree)
  fingerprint "$tree"/{dev,etc,home,mnt,opt,proc,root,run,srv,sys,tmp,var}
}

# --- servers ----------------------------------------------------------------------------------------------------------

# start_server NAME COMMAND...: starts a server in the session, as the identity, in the background.
start_server() {
  local name=$1
  shift
  read_session
  : >"$DESKTOP/$name.log" # an earlier server of that name may have filled it
  "${SERVER_OWNER[@]:-"${CALLER[@]}"}" env "${SESSION[@]}" "$@" </dev/null >"$DESKTOP/$name.log" 2>&1 3>&- &
  echo $! >"$DESKTOP/$name.pid"
}
# stop_server NAME [SIGNAL]: sends SIGNAL, by default TERM, so that the server removes its sockets and locks.
stop_server() {
  local pid status=0
  pid=$(cat "$DESKTOP/$1.pid") || return 1
  rm "$DESKTOP/$1.pid"
  kill -"${2:-TERM}" "$pid" 2>/dev/null || true
  if ! wait_until 5 server_ended "$pid"; then
    kill -KILL "$pid"
    complain "server $1 did not end: $(cat "$DESKTOP/$1.log")" || status=1
  fi
  { wait "$pid" || true; } 2>/dev/null
  return "$status"
}
server_runs() { [[ -s $DESKTOP/$1.pid ]] && ! server_ended "$(cat "$DESKTOP/$1.pid")"; }
server_ended() {
  local state
  state=$(ps -o stat= -p "$1") || return 0
  [[ $state == Z* ]]
}
# server_is_up NAME CONDITION...: waits for the condition, and shows the server's log if it does not come true.
server_is_up() {
  local name=$1
  shift
  wait_until 20 "$@" || complain "server $name: $(cat "$DESKTOP/$name.log")"
}

# start_xvfb [OPTION OF XVFB...]: starts an X server that accepts only the cookie in $DESKTOP/xauthority. Sets
# DISPLAY_NUMBER.
start_xvfb() {
  local cookie
  cookie=$(od -An -N16 -tx1 /dev/urandom | tr -d ' \n')
  : >"$DESKTOP/xauthority"
  # Xvfb takes the cookie from the file, whatever display number the file gives.
  xauth -q -f "$DESKTOP/xauthority" add :0 . "$cookie" 2>/dev/null
  chown "$CALLER_UID:$CALLER_GID" "$DESKTOP/xauthority"
  start_server xvfb Xvfb -displayfd 1 -auth "$DESKTOP/xauthority" -screen 0 1024x768x24 -nolisten tcp -noreset "$@"
  server_is_up xvfb grep -qx '[0-9]\+' "$DESKTOP/xvfb.log"
  DISPLAY_NUMBER=$(grep -x '[0-9]\+' "$DESKTOP/xvfb.log")
  echo "$DISPLAY_NUMBER" >"$DESKTOP/display"
  xauth -q -f "$DESKTOP/xauthority" add ":$DISPLAY_NUMBER" . "$cookie"
  chown "$CALLER_UID:$CALLER_GID" "$DESKTOP/xauthority"
  add_to_session "DISPLAY=:$DISPLAY_NUMBER" "XAUTHORITY=$DESKTOP/xauthority"
}

# start_pulse [OPTION OF PULSEAUDIO...]: starts PulseAudio with one sink, "null", which discards sound. Its socket is
# $RUNTIME/pulse/native, its cookie $DESKTOP/pulse/cookie.
start_pulse() {
  install -d -m 0700 -o "$CALLER_UID" -g "$CALLER_GID" "$DESKTOP/pulse"
  add_to_session "PULSE_STATE_PATH=$DESKTOP/pulse" "PULSE_COOKIE=$DESKTOP/pulse/cookie"
  start_server pulse pulseaudio -n --daemonize=no --use-pid-file=no --exit-idle-time=-1 --log-target=stderr \
    -L 'module-null-sink sink_name=null rate=48000 channels=1' \
    -L "module-native-protocol-unix auth-cookie=$DESKTOP/pulse/cookie" "$@"
  server_is_up pulse test -S "$RUNTIME/pulse/native"
}

# Starts PipeWire with wireplumber and pipewire-pulse, and with one sink, "null", which discards sound. Its sockets are
# $RUNTIME/pipewire-0 and $RUNTIME/pulse/native.
start_pipewire() {
  start_server pipewire pipewire
  server_is_up pipewire test -S "$RUNTIME/pipewire-0"
  # wireplumber ends without a session bus.
  start_server bus dbus-daemon --session --nofork --nopidfile --address="unix:path=$RUNTIME/bus"
  server_is_up bus test -S "$RUNTIME/bus"
  # Without systemd-logind it also ends, unless Bluetooth is switched off.
  mkdir -p "$DESKTOP/config/wireplumber/bluetooth.lua.d"
  echo 'bluez_monitor.enabled = false' >"$DESKTOP/config/wireplumber/bluetooth.lua.d/51-off.lua"
  start_beside_pipewire
}
# Starts wireplumber and pipewire-pulse, unless both run. Debian's crash now and then when a client goes away, so call
# this before each test.
start_beside_pipewire() {
  local name
  if server_runs wireplumber && server_runs pipewire-pulse; then return; fi
  for name in wireplumber pipewire-pulse; do
    [[ ! -e $DESKTOP/$name.pid ]] || stop_server "$name"
  done
  rm -f "$RUNTIME/pulse/native"
  start_server wireplumber env "DBUS_SESSION_BUS_ADDRESS=unix:path=$RUNTIME/bus" "XDG_CONFIG_HOME=$DESKTOP/config" \
    wireplumber
  start_server pipewire-pulse pipewire-pulse
  server_is_up pipewire-pulse test -S "$RUNTIME/pulse/native"
  in_session pactl load-module module-null-sink sink_name=null rate=48000 channels=1 >"$DESKTOP/module"
  server_is_up wireplumber null_is_default
}
null_is_default() { [[ $(in_session pactl get-default-sink) == null ]]; }

# start_weston [OPTION OF WESTON...]: starts Weston without a screen. It has no security contexts.
start_weston() {
  add_to_session WAYLAND_DISPLAY=wayland-7
  start_server weston weston --backend=headless-backend.so --socket=wayland-7 --idle-time=0 --no-config --debug "$@"
  server_is_up weston test -S "$RUNTIME/wayland-7"
}

# Starts Sway of Debian 13 without a screen. It has security contexts. It runs on the files of the template "compositor"
# ("# templates: compositor"), with the identity's own id. The log holds the requests of its clients.
start_sway() {
  add_to_session WAYLAND_DISPLAY=wayland-1
  words_beside_sway
  start_server sway "${BESIDE[@]}" -v WLR_BACKENDS=headless -v WLR_RENDERER=pixman -v WLR_LIBINPUT_NO_DEVICES=1 \
    -v WAYLAND_DEBUG=server sh -c 'echo xwayland disable >/tmp/config && exec sway -c /tmp/config'
  server_is_up sway test -S "$RUNTIME/wayland-1"
}
# Runs a program of that template in the session. The compositor does not confine it.
beside_sway() {
  words_beside_sway
  as_caller "${BESIDE[@]}" -v WAYLAND_DISPLAY=wayland-1 "$@"
}
words_beside_sway() {
  # The guest's root is the identity itself, so that the sockets belong to it.
  local engine=bwrap
  if [[ $CALLER_UID == 0 ]]; then engine=chroot; fi
  BESIDE=("$ISOLATE" -q -e "$engine" -t "${SWAY_ROOT:-$(desktop_tree compositor)}" -d "$RUNTIME"
    -v "XDG_RUNTIME_DIR=$RUNTIME" -v "SWAYSOCK=$RUNTIME/sway")
}

# --- sound ------------------------------------------------------------------------------------------------------------

# make_tone FREQUENCY SECONDS: writes a tone to $SCRATCH/tone.wav.
make_tone() {
  /usr/bin/python3 -I -S "$HELPERS/tone.py" make "$1" "$2" "$SCRATCH/tone.wav"
  chmod a+r "$SCRATCH/tone.wav"
}
# record_outside COMMAND...: records what the sink plays while the command runs, into $SCRATCH/recorded.
record_outside() {
  local pid status=0
  read_session
  "${SERVER_OWNER[@]:-"${CALLER[@]}"}" env "${SESSION[@]}" parec --device null.monitor --format s16le --rate 48000 \
    --channels 1 --latency-msec 20 --raw </dev/null >"$SCRATCH/recorded" 2>"$SCRATCH/parec.err" 3>&- &
  pid=$!
  wait_until 10 test -s "$SCRATCH/recorded" || complain "nothing is recorded: $(cat "$SCRATCH/parec.err")" || status=1
  "$@" || status=1
  kill -TERM "$pid"
  { wait "$pid" || true; } 2>/dev/null
  return "$status"
}
# play_outside FREQUENCY SECONDS [OPTION OF PAPLAY...]: plays a tone outside, in the background. Sets STARTED_PID.
play_outside() {
  make_tone "$1" "$2"
  shift 2
  read_session
  "${CALLER[@]}" env "${SESSION[@]}" paplay "$@" "$SCRATCH/tone.wav" </dev/null 2>"$SCRATCH/paplay.err" 3>&- &
  STARTED_PID=$!
  STARTED+=("$STARTED_PID")
}
# The frequency of the tone in a recording, or "silence".
tone_of() { /usr/bin/python3 -I -S "$HELPERS/tone.py" find "${1:-$SCRATCH/recorded}"; }
expect_tone() {
  local found
  found=$(tone_of "${2:-$SCRATCH/recorded}")
  [[ $found == "$1" ]] || complain "expected a tone of $1 Hz, but found $found"
}

# hears FREQUENCY COMMAND...: expects that the tone which the command plays is recorded outside. On a busy machine the sound
# server loses samples, so it may try three times.
hears() {
  local frequency=$1 try
  shift
  for try in 1 2 3; do
    record_outside "$@"
    if [[ $(tone_of) == "$frequency" ]]; then return; fi
  done
  expect_tone "$frequency"
}

# --- errors -----------------------------------------------------------------------------------------------------------

# refused_share OPTION TEXT... -- VARIABLE=VALUE...: expects that isolate, in the session with these variables, refuses the
# option in one line that contains the texts.
refused_share() {
  local option=$1 texts=()
  shift
  while [[ $1 != -- ]]; do
    texts+=("$1")
    shift
  done
  shift
  read_session
  isolate_refuses "${texts[@]}" -- with_variables "${SESSION[@]}" "$@" -- -z desktop "$option" true
}
