# variants: user-bwrap root-lxc: both identities and both engines once
# other variants: root-bwrap user-lxc root-native user-native
# templates: desktop
# --desktop: windows, sound, graphics and a home with one option, and the session's fonts, locale and time zone.

load helpers
load desktop

setup_file() {
  make_desktop
  start_xvfb
}
teardown_file() { remove_desktop; }

setup() {
  common_setup
  if [[ $IDENTITY == root ]]; then NAME=root HOME_INSIDE=/root; else NAME=$USER_A HOME_INSIDE=/home/$USER_A; fi
  PICTURES=$(dirname "$BINARIES")/pictures
  mkdir -p "$PICTURES"
}

a_window_named() { in_session xwininfo -root -tree 2>/dev/null | grep -q "$1"; }
# take_picture NAME: takes a screenshot of the whole display and keeps it.
take_picture() { in_session import -window root png:- >"$PICTURES/$1-$IDENTITY-$ENGINE.png"; }
# The number of colours in the screenshot: a window with text has many more than an empty display.
colours_in() { identify -format '%k' "$PICTURES/$1-$IDENTITY-$ENGINE.png"; }

@test "a GTK program and a Qt program show their windows" {
  local program
  for program in "yad --title=$MARK --text=isolate" "speedcrunch -title $MARK"; do
    # shellcheck disable=SC2086
    start_on_desktop --desktop $program
    wait_until 20 a_window_named "${MARK}\|SpeedCrunch" || complain "$(cat "$SCRATCH/err")"
    sleep 1 # it draws its content a moment later
    take_picture "${program%% *}"
    [[ $(colours_in "${program%% *}") -gt 20 ]]
    kill_started TERM
  done
}

@test "isolate reports what is missing in one line, and the run goes on" {
  succeeds on_desktop --desktop sh -c 'echo "$(id -un) $HOME $(pwd) $DISPLAY"'
  expect_output "$NAME $HOME_INSIDE $HOME_INSIDE :$(cat "$DESKTOP/display")"
  read_session
  run --separate-stderr with_variables "${SESSION[@]}" -- -z desktop --desktop true
  expect_status 0
  [[ $(grep -c 'the guest runs without' <<<"$stderr") == 1 ]]
  expect_in_errors 'without --gpu: '
}

@test "without any display the run fails" {
  isolate_refuses --desktop 'neither DISPLAY nor WAYLAND_DISPLAY' -- with_variables "XDG_RUNTIME_DIR=$RUNTIME" -- -q -z desktop --desktop true
}

@test "an option that the user gives overrides the one that --desktop would choose" {
  mkdir -m 0700 "$SCRATCH/kept"
  chown "$CALLER_UID:$CALLER_GID" "$SCRATCH/kept"
  succeeds on_desktop --desktop --home="$SCRATCH/kept" sh -c 'touch "$HOME/file"'
  [[ -e $SCRATCH/kept/file ]]
  read_session
  isolate_refuses x11 'not one of' -- with_variables "${SESSION[@]}" -- -q -z desktop --desktop --x11=none true
}

@test "--desktop leaves out what the configuration sets to false" {
  as_caller mkdir -p "$SCRATCH/config/isolate"
  echo 'pulse = false' | as_caller tee "$SCRATCH/config/isolate/config.toml" >/dev/null
  read_session
  succeeds with_variables "${SESSION[@]}" "XDG_CONFIG_HOME=$SCRATCH/config" -- -z desktop --desktop true
  expect_in_errors --gpu
  [[ $stderr != *--pulse* ]]
}

@test "fonts, icons and themes of the host are visible, and the guest can't change them" {
  as_caller mkdir -p "$CALLER_HOME/.local/share/fonts/$MARK" "$CALLER_HOME/.icons/$MARK"
  as_caller cp "$(find /usr/share/fonts -name '*.ttf' | head -n 1)" "$CALLER_HOME/.local/share/fonts/$MARK/"
  succeeds on_desktop --desktop sh -c "fc-list | grep -o $MARK | sort -u; ls -d /tmp/.desktop/*/icons/$MARK
    for place in /tmp/.desktop/*/fonts /tmp/.desktop/*/icons; do touch \$place/x 2>/dev/null && echo written; done
    echo \$XDG_DATA_DIRS"
  rm -r "$CALLER_HOME/.local/share/fonts" "$CALLER_HOME/.icons"
  expect_in_output "$MARK
/tmp/.desktop/old/icons/$MARK"
  expect_in_output '/usr/local/share:/usr/share:'
  expect_not_in_output written
}

@test "the locale is the session's, or C.UTF-8 with one warning" {
  read_session
  run --separate-stderr with_variables "${SESSION[@]}" LANG=xx_XX.UTF-8 -- -z desktop --desktop sh -c 'echo $LANG'
  expect_status 0
  expect_output C.UTF-8
  [[ $(grep -c xx_XX <<<"$stderr") == 1 ]]
  succeeds with_variables "${SESSION[@]}" LANG=xx_XX.UTF-8 LC_ALL=C -- -q -z desktop --desktop sh -c 'echo $LANG'
  expect_output C
  succeeds with_variables "${SESSION[@]}" LANG=xx_XX.UTF-8 -- -z desktop --desktop -v LANG=POSIX sh -c 'echo $LANG'
  expect_output POSIX
  [[ $stderr != *xx_XX* ]]
}

@test "the guest gets the session's time zone and the variables that describe its desktop" {
  read_session
  succeeds with_variables "${SESSION[@]}" TZ=ABC5 XDG_CURRENT_DESKTOP=Test -- -q -z desktop --desktop \
    sh -c 'date +%Z; echo "$XDG_CURRENT_DESKTOP $XDG_RUNTIME_DIR"; cksum </etc/localtime'
  expect_output "ABC
Test /tmp/.runtime
$(cksum </etc/localtime)"
}

@test "PATH includes the directories of games" {
  succeeds on_desktop --desktop sh -c 'echo "$PATH"'
  expect_in_output ':/usr/bin:'
  expect_in_output ':/usr/games'
}

@test "--desktop leaves nothing in the root" {
  local tree before
  [[ $IDENTITY == user ]] || return 0
  tree=$(desktop_tree)
  before=$(cd "$tree" && find . | sort | md5sum)
  succeeds on_desktop --desktop true
  [[ $(cd "$tree" && find . | sort | md5sum) == "$before" ]]
}

@test "--desktop includes sound" {
  start_pulse
  read_session
  run --separate-stderr with_variables "${SESSION[@]}" -- -z desktop --desktop pactl info
  stop_server pulse
  expect_status 0
  expect_in_output 'Default Sink: null'
  [[ $stderr != *--pulse* ]]
}
