# variants: root-bwrap user-lxc: root's guest has ids of its own, a user's guest has the user's
# other variants: user-bwrap root-lxc user-native root-native
# templates: desktop
# --pipewire gives the guest the caller's PipeWire, and -2 the PulseAudio server in it.

load helpers
load desktop

setup_file() {
  make_desktop
  start_pipewire
}
teardown_file() { remove_desktop; }
setup() {
  common_setup
  start_beside_pipewire
}

play() {
  local player=$1
  shift
  on_desktop -d "$SCRATCH/tone.wav:/tone.wav:ro" "$@" timeout 30 "$player" /tone.wav
}

@test "a tone that is played inside with PipeWire is heard outside" {
  make_tone 440 1
  hears 440 play pw-play --pipewire
  hears 440 play pw-play --pipewire -e chroot
}

@test "a tone that is played inside with PulseAudio's library is heard outside" {
  make_tone 660 1
  hears 660 play paplay --pulse
}

@test "--pipewire works with --userns=private, and with a socket that the guest's ids may not write to" {
  make_tone 550 1
  as_caller chmod 0700 "$RUNTIME/pipewire-0"
  hears 550 play pw-play --pipewire --userns=private
  as_caller chmod 0777 "$RUNTIME/pipewire-0"
}

@test "control: without the option there is no PipeWire inside" {
  run ! on_desktop pw-cli info 0
  succeeds on_desktop --pipewire pw-cli info 0
}

@test "the guest sees the streams of other programs, as SECURITY.md says of --pipewire" {
  local pid
  make_tone 880 5
  read_session
  "${CALLER[@]}" env "${SESSION[@]}" pw-play -P "{ application.name = \"player $MARK\" }" "$SCRATCH/tone.wav" 3>&- &
  pid=$!
  succeeds on_desktop --pipewire sh -c 'for try in 1 2 3 4 5 6 7 8 9; do
      pw-cli ls Node | grep -q pw-play && break
      sleep 0.2
    done
    pw-cli ls Node'
  kill "$pid"
  expect_in_output pw-play
}

@test "a killed run leaves nothing, and with -t the directory stays as it was" {
  local before tree
  tree=$(desktop_tree)
  before=$(fingerprint_of_desktop)
  read_session
  start env "${SESSION[@]}" "$ISOLATE" --store "$STORE" -q -e bwrap -t "$tree" --pipewire -v HOME:/tmp \
    sh -c "pw-cli info 0 >/dev/null && exec sleep $MARK"
  wait_until 20 a_guest_sleeps || complain "$(cat "$SCRATCH/err")"
  kill_started KILL
  wait_until 5 no_process_with "$MARK"
  isolatectl gc
  fingerprint_of_desktop | diff <(echo "$before") - || complain "the tree was changed"
}

@test "isolate reports in one line: no server, no XDG_RUNTIME_DIR, a name that can't be a socket's" {
  refused --pipewire 'does not listen there' -- "XDG_RUNTIME_DIR=$SCRATCH"
  refused 'XDG_RUNTIME_DIR is not set' -- XDG_RUNTIME_DIR=
  refused PIPEWIRE_REMOTE -- 'PIPEWIRE_REMOTE=[a,b]'
  refused 'does not listen' other -- PIPEWIRE_REMOTE=other
  read_session
  succeeds with_variables "${SESSION[@]}" XDG_RUNTIME_DIR= "PIPEWIRE_REMOTE=$RUNTIME/pipewire-0" -- -q -z desktop \
    --pipewire pw-cli info 0
}
refused() { refused_share --pipewire "$@"; }
