# variants: root-bwrap user-bwrap: how a template's layers are mounted differs; no engine has a part in it
# isolatectl launcher: .desktop files that start a command in a clone, from a template that may be hostile.

load helpers

setup() {
  common_setup
  DATA=$SCRATCH/data
  APPLICATIONS=$DATA/applications
  ICONS=$DATA/icons/hicolor
}

launcher() { as_caller env XDG_DATA_HOME="$DATA" "$ISOLATECTL" --store "$STORE" launcher "$@"; }
create() { launcher create "$@"; }
entry() { echo "$APPLICATIONS/isolate-$1.desktop"; }
value() { sed -n "s/^$2=//p" "$(entry "$1")"; }
expect_value() { [[ $(value "$1" "$2") == "$3" ]] || complain "expected $2=$3, not $(value "$1" "$2")"; }
is_valid() { succeeds desktop-file-validate "$(entry "$1")" && expect_output ''; }

# A template "apps" with only one program in it, "editor", whose files are below $ROOT, in a store of its own.
make_apps() {
  STORE=$SCRATCH/store
  as_caller mkdir -p "$SCRATCH/apps/usr/share/applications" "$SCRATCH/apps/etc"
  as_caller install -D -m 0755 /dev/null "$SCRATCH/apps/usr/bin/editor"
  as_caller mkdir -m 0700 "$STORE"
  isolatectl template create apps --from "$SCRATCH/apps"
  ROOT=$STORE/templates/apps/layers/1
}
# plant PATH: makes a file of the template with the content of standard input.
plant() { as_caller sh -c 'mkdir -p "$(dirname "$1")"; cat >"$1"' sh "$ROOT/$1"; }
plant_entry() { printf '%s\n' '[Desktop Entry]' Type=Application "${@:2}" | plant "usr/share/applications/$1.desktop"; }
plant_svg() { echo "<svg xmlns='http://www.w3.org/2000/svg'>$2</svg>" | plant "usr/share/icons/hicolor/scalable/apps/$1.svg"; }

# Sets WORDS to the command line that a desktop starts.
words_of() {
  mapfile -d '' -t WORDS < <(as_caller /usr/bin/python3 -I -S "$HELPERS/desktop_exec.py" "$(entry "$1")")
  [[ ${#WORDS[@]} -gt 0 ]] || complain "Exec of $1 is not as the specification has it: $(value "$1" Exec)"
}

expect_one_warning() {
  expect_status 0
  [[ ${#stderr_lines[@]} == 1 && ${stderr_lines[0]} == 'isolatectl: warning: '* ]] || complain "expected one warning"
}

@test "a launcher starts its command in a fresh clone, with every argument as it was" {
  local arguments=('' ' ' 'two words' "it's" 'a"b' '$HOME' '$(id)' '`id`' 'a\b' '\\' '\n' '100%' '%U' '%%f' '~' '*?#' 'a;b|c&d' '<>()' -z
    --desktop -- 'a=b' 'Ünï 写真' '[x]{y}!^')
  succeeds create one -q --template debian -- sh -c 'printf "<%s>" "$@"; echo; echo made >/made; cat /etc/hostname' sh "${arguments[@]}"
  expect_no_errors
  is_valid one
  words_of one
  [[ ${WORDS[0]} == "$(realpath "$ISOLATE")" && ${WORDS[*]} == *" --desktop -z debian -- sh -c "* ]] || complain "${WORDS[*]}"
  # No session runs here, so what --desktop shares is left out.
  local words=() word
  for word in "${WORDS[@]}"; do
    [[ $word == --desktop && ${#words[@]} -lt 6 ]] || words+=("$word")
  done
  succeeds as_caller "${words[@]}"
  [[ ${lines[0]} == "$(printf '<%s>' "${arguments[@]}")" ]] || complain "arguments"
  succeeds in_clone ls /
  expect_not_in_output made
}

@test "root makes nothing in another user's home, whatever links are there" {
  [[ $IDENTITY == root ]] || return 0
  install -d -o "$USER_B_UID" -g "$USER_B_GID" "$SCRATCH/home" "$SCRATCH/home/.local"
  mkdir "$SCRATCH/outside"
  fails_plainly 1 isolatectl 'belongs to' -- env HOME="$SCRATCH/home" XDG_DATA_HOME= "$ISOLATECTL" --store "$STORE" \
    launcher create one --template debian -- xterm
  ln -s "$SCRATCH/outside" "$SCRATCH/home/.local/share"
  chown -h "$USER_B_UID" "$SCRATCH/home/.local/share"
  fails_plainly 1 isolatectl 'belongs to' -- env HOME="$SCRATCH/home" XDG_DATA_HOME= "$ISOLATECTL" --store "$STORE" \
    launcher create one --template debian -- xterm
  ln -s "$SCRATCH/home/.local/share" "$SCRATCH/link"
  chown -h "$USER_B_UID" "$SCRATCH/link"
  fails_plainly 1 isolatectl 'belongs to' -- env XDG_DATA_HOME="$SCRATCH/link" "$ISOLATECTL" --store "$STORE" \
    launcher create one --template debian -- xterm
  [[ -z $(ls -A "$SCRATCH/outside") && $(ls -A "$SCRATCH/home/.local") == share ]]
}

@test "without --store, the launcher leaves the store to isolate" {
  # Root's usual store is the machine's, which has no template here.
  [[ $IDENTITY == user ]] || return 0
  succeeds as_caller "$ISOLATECTL" -q launcher create "own-$MARK" --template debian -- xterm
  DATA=$CALLER_HOME/.local/share APPLICATIONS=$CALLER_HOME/.local/share/applications
  words_of "own-$MARK"
  [[ ${WORDS[*]:1} == '--desktop -z debian -- xterm' ]] || complain "${WORDS[*]}"
  succeeds as_caller "$ISOLATECTL" launcher remove "own-$MARK"
}

@test "the template's entry gives its description in all languages, and nothing that starts a program" {
  make_apps
  plant_entry editor 'Name=Editor' 'Name[de]=Texteditor' 'GenericName=Text Editor' 'Comment=Edit text' 'Keywords=text;' \
    'Categories=Utility;TextEditor;' StartupWMClass=Editor Terminal=false 'Exec=/usr/bin/editor %U' TryExec=/bin/evil Path=/ \
    MimeType=text/plain\; Actions=New\; DBusActivatable=true Icon=editor '[Desktop Action New]' 'Name=New' 'Exec=evil'
  plant_svg editor '<path d="M0 0"/>'
  succeeds create ed -q --template apps -- editor --new
  expect_no_errors
  is_valid ed
  [[ $(sed '/^Exec=/d' "$(entry ed)") == '[Desktop Entry]
Categories=Utility;TextEditor;
Comment=Edit text
GenericName=Text Editor
Icon=isolate-ed
Keywords=text;
Name=Editor (ed)
Name[de]=Texteditor (ed)
StartupWMClass=Editor
Terminal=false
Type=Application
X-Isolate-Icons=scalable;
X-Isolate-Template=apps' ]] || complain "$(cat "$(entry ed)")"
  words_of ed
  [[ ${WORDS[*]} == "$(realpath "$ISOLATE") --store $STORE --desktop -z apps -- editor --new" ]] || complain "${WORDS[*]}"
  cmp "$ICONS/scalable/apps/isolate-ed.svg" "$ROOT/usr/share/icons/hicolor/scalable/apps/editor.svg"
}

@test "a launcher for a program without an entry has its own name" {
  make_apps
  plant_entry other Name=Other Exec=other
  succeeds create mine -q --template apps -- editor
  is_valid mine
  expect_value mine Name mine
  expect_value mine Icon application-x-executable
}

@test "a launcher takes what an edit changed in the template" {
  STORE=$SCRATCH/store
  as_caller mkdir -m 0700 "$STORE"
  copy_of_tree "$SCRATCH/small"
  isolatectl template create small --from "$SCRATCH/small"
  succeeds isolatectl template edit small -- sh -ec 'mkdir -p /usr/share/applications /usr/share/pixmaps
    printf "[Desktop Entry]\nType=Application\nName=First\nExec=sh\nIcon=a\n" >/usr/share/applications/sh.desktop'
  succeeds isolatectl template edit small -- sh -ec 'sed -i s/First/Second/ /usr/share/applications/sh.desktop
    echo "<svg xmlns=\"http://www.w3.org/2000/svg\"/>" >/usr/share/pixmaps/real.svg; ln -s /usr/share/pixmaps/real.svg /usr/share/pixmaps/a.svg'
  succeeds create sh -q --template small -- sh
  expect_no_errors
  expect_value sh Name "Second (sh)"
  [[ -f $ICONS/scalable/apps/isolate-sh.svg ]]
}

@test "W6: a launcher takes only checked values from a hostile entry, or nothing" {
  make_apps
  plant_entry a $'Name=x\\nExec=evil' $'Comment=\e[2J' 'GenericName='$'\xff' 'Categories=Game;";' 'Terminal=$(id)' Exec=editor \
    'Keywords='"$(head -c 2000 /dev/zero | tr '\0' k)"
  succeeds create a -q --template apps -- editor
  is_valid a
  [[ $(grep -c '^Exec=' "$(entry a)") == 1 && $(wc -l <"$(entry a)") == 7 ]] || complain "$(cat "$(entry a)")"
  expect_value a Name a
  expect_value a Terminal false
  # Files that are no entries at all: a line of a megabyte, no group, a pipe, a link to the outside, a sparse file.
  rm "$ROOT/usr/share/applications/a.desktop"
  { printf '[Desktop Entry]\nType=Application\nExec=editor\nName='; head -c 1048576 /dev/zero | tr '\0' x; } |
    plant usr/share/applications/b.desktop
  printf 'Type=Application\nExec=editor\nName=Bad\n' | plant usr/share/applications/c.desktop
  printf '[Desktop Entry]\nType=Application\nExec=editor\nName=Out\n' >"$SCRATCH/out.desktop"
  as_caller mkfifo "$ROOT/usr/share/applications/d.desktop"
  as_caller ln -s "$SCRATCH/out.desktop" "$ROOT/usr/share/applications/e.desktop"
  as_caller truncate -s 100M "$ROOT/usr/share/applications/f.desktop"
  succeeds timeout 20 "${CALLER[@]}" env XDG_DATA_HOME="$DATA" "$ISOLATECTL" -q --store "$STORE" launcher create a --template apps -- editor
  expect_no_errors
  expect_value a Name a
}

@test "W6: isolatectl reads nothing through directories of the template that lead outside" {
  local way
  make_apps
  as_caller mkdir -p "$SCRATCH/outside/applications" "$SCRATCH/outside/hicolor/scalable/apps"
  printf '[Desktop Entry]\nType=Application\nExec=editor\nName=Out\nIcon=editor\n' | as_caller tee "$SCRATCH/outside/applications/a.desktop" >/dev/null
  for way in /etc "$SCRATCH/outside/applications" "../../../../../../../../../../../../..$SCRATCH/outside/applications" \
    "/proc/self/root$SCRATCH/outside/applications"; do
    rm -rf "$ROOT/usr/share/applications"
    as_caller ln -s "$way" "$ROOT/usr/share/applications"
    succeeds create a -q --template apps -- editor
    expect_no_errors
    expect_value a Name a
  done
  # The same entry inside is found: the links are what hides it above.
  rm "$ROOT/usr/share/applications"
  plant usr/share/applications/a.desktop <"$SCRATCH/outside/applications/a.desktop"
  plant_svg editor ''
  as_caller mv "$ROOT/usr/share/icons/hicolor/scalable/apps/editor.svg" "$SCRATCH/outside/hicolor/scalable/apps"
  as_caller rm -r "$ROOT/usr/share/icons"
  as_caller ln -s "$SCRATCH/outside" "$ROOT/usr/share/icons"
  succeeds create a -q --template apps -- editor
  expect_value a Name "Out (a)"
  expect_value a Icon application-x-executable
  [[ ! -e $ICONS ]]
}

@test "W6: a hostile icon is left out with one warning" {
  local apps icon
  make_apps
  apps=$ROOT/usr/share/icons/hicolor/scalable/apps
  plant_svg script '<script>alert(1)</script>'
  plant_svg handler '<path onclick="alert(1)"/>'
  plant_svg outside '<image href="file:///etc/passwd"/>'
  plant_svg sparse ''
  as_caller truncate -s 100M "$apps/sparse.svg"
  echo '<!DOCTYPE svg [<!ENTITY x SYSTEM "file:///etc/passwd">]><svg xmlns="http://www.w3.org/2000/svg">&x;</svg>' |
    plant usr/share/icons/hicolor/scalable/apps/entity.svg
  as_caller mkfifo "$apps/pipe.svg"
  echo 'root:*:' | plant etc/shadow
  as_caller ln -s /etc/shadow "$apps/shadow.svg"
  head -c 30 /dev/zero | plant usr/share/icons/hicolor/48x48/apps/zeros.png
  for icon in script handler outside sparse entity pipe shadow zeros /etc/shadow ../../../../../etc/shadow; do
    plant_entry a Name=A Exec=editor "Icon=$icon"
    run --separate-stderr timeout 20 "${CALLER[@]}" env XDG_DATA_HOME="$DATA" "$ISOLATECTL" -q --store "$STORE" launcher create a --template apps -- editor
    [[ $icon == ../* ]] || expect_one_warning
    expect_status 0
    expect_value a Icon application-x-executable
    [[ ! -e $ICONS ]] || complain "an icon was made of $icon"
  done
}

@test "W6: links to files of the host give no icon" {
  make_apps
  echo '<svg xmlns="http://www.w3.org/2000/svg"/>' >"$SCRATCH/host.svg"
  plant_svg editor ''
  as_caller ln -sf "$SCRATCH/host.svg" "$ROOT/usr/share/icons/hicolor/scalable/apps/editor.svg"
  plant_entry a Name=A Exec=editor Icon=editor
  succeeds create a -q --template apps -- editor
  expect_value a Icon application-x-executable
  plant_entry a Name=A Exec=editor "Icon=$SCRATCH/host.svg"
  succeeds create a -q --template apps -- editor
  expect_value a Icon application-x-executable
  [[ ! -e $ICONS ]]
}

@test "--icon takes a file of the host, which isolatectl checks in the same way, or a name" {
  make_apps
  as_caller sh -c 'cd "$1"; echo "<svg xmlns=\"http://www.w3.org/2000/svg\"/>" >good.svg; echo "<svg/>" >bad.svg; mkfifo pipe.svg' sh "$SCRATCH"
  succeeds create a -q --template apps --icon "$SCRATCH/good.svg" -- editor
  expect_value a Icon isolate-a
  cmp "$ICONS/scalable/apps/isolate-a.svg" "$SCRATCH/good.svg"
  isolatectl_refuses 'neither a PNG nor an SVG' -- create a --template apps --icon "$SCRATCH/bad.svg" -- editor
  isolatectl_refuses 'not a regular file' -- create a --template apps --icon "$SCRATCH/pipe.svg" -- editor
  isolatectl_refuses 'No such file' -- create a --template apps --icon "$SCRATCH/none.svg" -- editor
  expect_value a Icon isolate-a
  succeeds create a -q --template apps --icon utilities-terminal -- editor
  expect_value a Icon utilities-terminal
  [[ ! -e $ICONS/scalable/apps/isolate-a.svg ]]
}

@test "create -n --home makes a launcher with the host's network and a home that is kept" {
  make_apps
  succeeds create a -q --template apps -n --home "$SCRATCH/my home" -- editor -n
  is_valid a
  words_of a
  [[ ${WORDS[*]} == *" --desktop -z apps -n --home=$SCRATCH/my home -- editor -n" ]] ||
    complain "${WORDS[*]}"
  succeeds launcher list
  expect_in_output 'apps      editor -n'
  isolatectl_refuses "--home 'guests'" -- create b --template apps --home guests -- editor
  isolatectl_refuses "--home ''" -- create b --template apps --home '' -- editor
}

@test "create warns about a program that the template lacks" {
  make_apps
  succeeds create a -q --template apps -- edtior
  expect_one_warning
  expect_in_errors "no program 'edtior'"
  succeeds create b -q --template apps -- /usr/bin/editor
  expect_no_errors
  # A link in the template leads to a file of the template, not of the host.
  as_caller ln -s /bin/true "$ROOT/usr/bin/link"
  succeeds create c -q --template apps -- link
  expect_one_warning
}

@test "the error for a command's options without -- before them says what to write" {
  make_apps
  isolatectl_refuses 'not expected: --new' 'write -- before the command' -- create a --template apps editor --new
}

@test "isolatectl lists and removes launchers, and leaves other files alone" {
  local before
  make_apps
  succeeds launcher list
  expect_output 'NAME  TEMPLATE  COMMAND'
  plant_entry a Name=A Exec=editor Icon=editor
  plant_svg editor ''
  create one -q --template apps -- editor 'two words'
  create two -q --template apps -- xterm
  as_caller sh -c 'echo "[Desktop Entry]" >"$1/isolate-other.desktop"; ln -s isolate-one.desktop "$1/isolate-link.desktop"
    echo mine >"$2/scalable/apps/isolate-other.svg"' sh "$APPLICATIONS" "$ICONS"
  succeeds launcher list
  expect_output "NAME  TEMPLATE  COMMAND
one   apps      editor 'two words'
two   apps      xterm"
  succeeds launcher --json list
  [[ $(jq -c '[.[] | [.name, .template, .command]]' <<<"$output") == '[["one","apps",["editor","two words"]],["two","apps",["xterm"]]]' ]] ||
    complain json
  before=$(find "$DATA" -name '*other*' -o -name '*link*' -o -name '*two*' | sort)
  succeeds launcher remove one
  [[ $(find "$DATA" ! -type d | sort) == "$before" ]] || complain "$(find "$DATA" ! -type d)"
  isolatectl_refuses 'not made by isolatectl' -- launcher remove other
  isolatectl_refuses 'not made by isolatectl' -- launcher remove link
  isolatectl_refuses 'there is no launcher' 'nearest: two' -- launcher remove twoo
  isolatectl_refuses 'not made by isolatectl' -- create other --template apps -- editor
  [[ $(find "$DATA" ! -type d | sort) == "$before" ]]
}

@test "isolatectl refuses what can't become a launcher, and writes nothing" {
  local name
  make_apps
  isolatectl_refuses "no template 'apsp'" 'nearest: apps' -- create a --template apsp -- editor
  for name in ../a a/b .a 'a b' "$(head -c 61 /dev/zero | tr '\0' a)"; do
    isolatectl_refuses "can't be the name of a launcher" -- create --template apps "$name" -- editor
  done
  isolatectl_refuses 'not a line of printable' -- create a --template apps -- editor $'a\nb'
  isolatectl_refuses 'not a line of printable' -- create a --template apps -- editor $'\xff'
  isolatectl_refuses COMMAND -- create a --template apps
  isolatectl_refuses --template -- create a -- editor
  [[ ! -e $DATA ]] || complain "$(find "$DATA")"
}

@test "isolatectl writes nothing into another user's directory" {
  make_apps
  mkdir -p "$APPLICATIONS"
  chown -R "$USER_B_UID" "$DATA"
  isolatectl_refuses 'belongs to' -- create a --template apps -- editor
  [[ -z $(ls "$APPLICATIONS") ]]
}
