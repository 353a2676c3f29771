# variants: user-bwrap: a browser is slow, and other files cover the other variants
# templates: browser
# A browser shows a page in its window with --desktop, and takes a screenshot of a page without a window.

load helpers
load desktop

setup_file() {
  make_desktop
  start_xvfb
}
teardown_file() { remove_desktop; }

setup() {
  common_setup
  # shellcheck disable=SC2034 # on_desktop uses it
  TEMPLATE=browser
  PICTURES=$(dirname "$BINARIES")/pictures
  mkdir -p "$PICTURES"
  mkdir "$SCRATCH/page"
  echo '<html><title>Page of a test</title><body style="background:#1060c0"></body></html>' >"$SCRATCH/page/page.html"
  chmod -R a+rX "$SCRATCH/page"
}

# The share of pixels in the screenshot that have the page's colour, in percent.
blue_in() {
  convert "$1" -fuzz 3% -fill black +opaque '#1060c0' -fill white -opaque '#1060c0' -format '%[fx:int(100*mean)]' info:
}

@test "Firefox shows a page in its window" {
  start_on_desktop --desktop -d "$SCRATCH/page:/page:ro" firefox-esr --no-remote --new-instance --kiosk file:///page/page.html
  picture_is_blue() {
    in_session import -window root png:- >"$PICTURES/firefox-window.png" 2>/dev/null &&
      [[ $(blue_in "$PICTURES/firefox-window.png") -gt 50 ]]
  }
  wait_until 60 picture_is_blue || complain "$(cat "$SCRATCH/err")"
  kill_started TERM
}

@test "firefox-esr --screenshot writes a screenshot into the home" {
  mkdir -m 0700 "$SCRATCH/home"
  chown "$CALLER_UID:$CALLER_GID" "$SCRATCH/home"
  succeeds on_desktop --home="$SCRATCH/home" -d "$SCRATCH/page:/page:ro" \
    sh -c 'firefox-esr --headless --screenshot "$HOME/page.png" --window-size=400,300 file:///page/page.html'
  [[ -s $SCRATCH/home/page.png ]] || complain "no picture"
  cp "$SCRATCH/home/page.png" "$PICTURES/firefox-screenshot.png"
  [[ $(blue_in "$PICTURES/firefox-screenshot.png") -gt 90 ]]
}
