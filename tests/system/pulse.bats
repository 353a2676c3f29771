# variants: root-bwrap user-lxc: root's guest has ids of its own and needs the cookie, a user's guest does not
# other variants: user-bwrap root-lxc user-native root-native
# templates: desktop
# -2 gives the guest the caller's PulseAudio: what it plays is heard outside, and it can record.

load helpers
load desktop

setup_file() {
  make_desktop
  start_pulse
}
teardown_file() { remove_desktop; }

play() { on_desktop -d "$SCRATCH/tone.wav:/tone.wav:ro" "$@" paplay /tone.wav; }

@test "a tone that is played inside is heard outside, with its frequency" {
  make_tone 440 1
  hears 440 play -2
}

@test "control: without -2 there is no server inside" {
  run ! play
  succeeds on_desktop sh -c 'env | grep -c -e PULSE -e XDG_RUNTIME; ls -d /tmp/.runtime 2>/dev/null || true'
  expect_output 0
}

@test "sound works with the chroot engine, with --userns=private, and from the configuration" {
  local options
  make_tone 660 0.5
  for options in '-e chroot -2' '--userns=private --pulse'; do
    # shellcheck disable=SC2086
    hears 660 play $options
  done
  mkdir -p "$SCRATCH/config/isolate"
  echo 'pulse = true' >"$SCRATCH/config/isolate/config.toml"
  read_session
  hears 660 with_variables "${SESSION[@]}" XDG_CONFIG_HOME="$SCRATCH/config" -- -q -z desktop \
    -d "$SCRATCH/tone.wav:/tone.wav:ro" paplay /tone.wav
}

@test "W4: -2 lets the guest record what others play, see their streams, and load modules that act outside" {
  play_outside 880 10 --client-name="player $MARK"
  succeeds on_desktop -2 -d "$SCRATCH:/s" sh -c 'for try in 1 2 3; do
      timeout 2 parec --device null.monitor --format s16le --rate 48000 --channels 1 --raw >"/s/inside$try"
    done
    pactl list clients
    number=$(pactl load-module module-pipe-sink "file=$0/pipe") && ls -l /s/pipe && pactl unload-module "$number"' "$SCRATCH"
  kill "$STARTED_PID" 2>/dev/null || true
  # A busy machine loses samples.
  [[ " $(for try in 1 2 3; do tone_of "$SCRATCH/inside$try"; done | tr '\n' ' ') " == *' 880 '* ]] || complain "no tone"
  expect_in_output "player $MARK"
  grep -q '^p.* /s/pipe$' <<<"$output" || complain "the server has made no pipe"
}

@test "with -t the directory stays as it was" {
  local before tree
  tree=$(desktop_tree)
  before=$(fingerprint_of_desktop)
  read_session
  make_tone 550 0.5
  hears 550 with_variables "${SESSION[@]}" -- -q -e bwrap -t "$tree" -2 -v HOME:/tmp \
    -d "$SCRATCH/tone.wav:/etc/issue:ro" paplay /etc/issue
  fingerprint_of_desktop | diff <(echo "$before") - || complain "the tree was changed"
}

@test "W1: only the guest's root can read the file with the cookie, which is in no plan, environment or argument" {
  local cookie
  cookie=$(od -An -v -tx1 "$DESKTOP/pulse/cookie" | tr -d ' \n')
  succeeds on_desktop -2 sh -c 'stat -c "%u %a %s %n" /tmp/.runtime /tmp/.runtime/pulse /tmp/.runtime/pulse/cookie
    od -An -v -tx1 "$PULSE_COOKIE" | tr -d " \n"'
  [[ ${lines[0]} == '0 700 '*' /tmp/.runtime' && ${lines[1]} == '0 700 '*/pulse &&
    ${lines[2]} == '0 600 256 /tmp/.runtime/pulse/cookie' && ${lines[3]} == "$cookie" ]] || complain "files"
  succeeds on_desktop -2 --dry-run true
  expect_in_output "PulseAudio: $RUNTIME/pulse/native on /tmp/.runtime/pulse/native"
  expect_in_output PULSE_SERVER=unix:/tmp/.runtime/pulse/native
  expect_not_in_output "${cookie:0:16}"
  start_on_desktop -2 sleep "$MARK"
  wait_until 20 a_guest_sleeps
  cat /proc/[0-9]*/{cmdline,environ} 2>/dev/null | od -An -v -tx1 | tr -d ' \n' >"$SCRATCH/processes"
  refute grep -q "${cookie:0:32}" "$SCRATCH/processes"
  kill_started TERM
}

@test "a killed run leaves nothing" {
  start_on_desktop -2 sh -c "pactl info >/dev/null && exec sleep $MARK"
  wait_until 20 a_guest_sleeps
  kill_started KILL
  wait_until 5 no_process_with "$MARK"
  wait_until 5 no_client_but_ours || complain "$(in_session pactl list short clients)"
  isolatectl gc
}
no_client_but_ours() { [[ $(in_session pactl list short clients | wc -l) == 1 ]]; }

# --- errors -----------------------------------------------------------------------------------------------------------

refused() { refused_share -2 "$@"; }

@test "isolate reports in one line: no server, no XDG_RUNTIME_DIR, a server on the network, a stale socket" {
  refused --pulse 'does not listen there' -- "XDG_RUNTIME_DIR=$SCRATCH"
  refused 'XDG_RUNTIME_DIR is not set' -- XDG_RUNTIME_DIR=
  refused 'does not name a socket' PULSE_SERVER=tcp:192.0.2.1 -- PULSE_SERVER=tcp:192.0.2.1
  refused 'is not a socket' -- "PULSE_SERVER=unix:$ISOLATE"
  as_caller /usr/bin/python3 -c 'import socket, sys; socket.socket(socket.AF_UNIX).bind(sys.argv[1])' "$SCRATCH/stale"
  refused 'does not answer' "$SCRATCH/stale" -- "PULSE_SERVER={machine}unix:$SCRATCH/stale"
}

@test "isolate reports a cookie that is malformed, or missing although the guest needs one" {
  refused 'No such file' -- "PULSE_COOKIE=$SCRATCH/none"
  as_caller sh -c 'echo short >"$1"' sh "$SCRATCH/short"
  refused 'is not a cookie' -- "PULSE_COOKIE=$SCRATCH/short"
  refused 'is not a cookie' -- PULSE_COOKIE=/etc/services
  mkfifo -m 0666 "$SCRATCH/pipe"
  refused 'is not a regular file' -- "PULSE_COOKIE=$SCRATCH/pipe"
  read_session
  isolate_refuses 'no cookie' pactl -- with_variables "${SESSION[@]}" PULSE_COOKIE= XDG_CONFIG_HOME="$SCRATCH" -- \
    -z desktop --userns=private -2 true
}

@test "the anonymous socket in /tmp is used if it belongs to the caller or root, and refused otherwise" {
  [[ ! -e /tmp/pulse-socket ]] || complain "/tmp/pulse-socket is there"
  make_tone 770 0.5
  in_session pactl load-module module-native-protocol-unix auth-anonymous=1 \
    "auth-cookie=$DESKTOP/pulse/cookie" socket=/tmp/pulse-socket >"$SCRATCH/module"
  hears 770 with_variables XDG_RUNTIME_DIR="$SCRATCH" -- -q -z desktop -2 -d "$SCRATCH/tone.wav:/tone.wav:ro" \
    paplay /tone.wav
  in_session pactl unload-module "$(cat "$SCRATCH/module")"
  wait_until 5 test ! -e /tmp/pulse-socket || complain "it is still there"
  squat /tmp/pulse-socket
  isolate_refuses "belongs to user $USER_B_UID" -- with_variables XDG_RUNTIME_DIR="$SCRATCH" -- -z desktop -2 true
  # Both the socket and the server have to belong to the caller or root.
  chown "$CALLER_UID" /tmp/pulse-socket
  isolate_refuses "belongs to user $USER_B_UID" -- with_variables XDG_RUNTIME_DIR="$SCRATCH" -- -z desktop -2 true
  end_squatter
}
squat() {
  setpriv --reuid "$USER_B_UID" --regid "$USER_B_GID" --clear-groups /usr/bin/python3 -c '
import os, socket, sys
server = socket.socket(socket.AF_UNIX)
server.bind(sys.argv[1])
os.chmod(sys.argv[1], 0o777)
server.listen()
while True:
    server.accept()' "$1" "$MARK" 3>&- &
  STARTED+=($!)
  wait_until 5 test -S "$1"
}
end_squatter() {
  kill -KILL "${STARTED[-1]}"
  rm -f /tmp/pulse-socket
}

# bats test_tags=once
@test "root takes the server of the user who called sudo" {
  [[ $IDENTITY == root ]] || return 0
  local runtime=$SCRATCH/run
  install -d -m 0755 -o "$USER_B_UID" "$runtime"
  cp "$DESKTOP/pulse/cookie" "$SCRATCH/cookie"
  squat "$runtime/socket"
  isolate_refuses "belongs to user $USER_B_UID" -- with_variables "PULSE_SERVER=$runtime/socket" \
    "PULSE_COOKIE=$SCRATCH/cookie" -- -z desktop -2 true
  succeeds with_variables "PULSE_SERVER=$runtime/socket" "PULSE_COOKIE=$SCRATCH/cookie" "SUDO_UID=$USER_B_UID" -- \
    -q -z desktop -2 true
  # Without PULSE_COOKIE, the cookie is that of this user. isolate reads no file there that they do not own.
  local home
  home=$(getent passwd "$USER_B" | cut -d : -f 6)
  install -d -m 0755 -o "$USER_B_UID" "$home" "$home/.config" "$home/.config/pulse"
  head -c 256 /dev/urandom >"$home/.config/pulse/cookie"
  isolate_refuses "$home/.config/pulse/cookie" -- with_variables "PULSE_SERVER=$runtime/socket" "SUDO_UID=$USER_B_UID" -- \
    -q -z desktop -2 true
  chown "$USER_B_UID" "$home/.config/pulse/cookie"
  succeeds with_variables "PULSE_SERVER=$runtime/socket" "SUDO_UID=$USER_B_UID" -- -q -z desktop -2 \
    sh -c 'cksum <"$PULSE_COOKIE"'
  expect_output "$(cksum <"$home/.config/pulse/cookie")"
  rm -r "$home/.config/pulse"
  # sudo removes XDG_RUNTIME_DIR.
  isolate_refuses "/run/user/$USER_B_UID/pulse/native" -- with_variables "SUDO_UID=$USER_B_UID" -- -q -z desktop -2 true
  end_squatter
}

# Keep this test the last one, because it changes the session.
@test "sound works with a server that uses /dev/shm, which the guest can't reach" {
  as_caller mkdir -m 0700 "$SCRATCH/shm"
  start_server shm pulseaudio -n --daemonize=no --use-pid-file=no --exit-idle-time=-1 --log-target=stderr --enable-memfd=no \
    -L 'module-null-sink sink_name=null rate=48000 channels=1' \
    -L "module-native-protocol-unix auth-cookie=$DESKTOP/pulse/cookie socket=$SCRATCH/shm/socket"
  server_is_up shm test -S "$SCRATCH/shm/socket"
  echo 'enable-shm = no' >"$DESKTOP/client.conf"
  add_to_session "PULSE_SERVER=unix:$SCRATCH/shm/socket" "PULSE_CLIENTCONFIG=$DESKTOP/client.conf"
  make_tone 330 1
  hears 330 play -2
  # Control: without isolate's settings the library uses /dev/shm where the guest has the server's id.
  if [[ $IDENTITY == user ]]; then
    run ! play -2 -v PULSE_CLIENTCONFIG:/dev/null
    expect_in_output shm_open
  fi
  stop_server shm
}
