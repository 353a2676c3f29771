# variants: user-bwrap root-bwrap: no engine has a hand in it
# isolatectl launcher: entries of the user's menu. A template's desktop entry and icon are input from somebody else.

load helpers

setup() {
  common_setup
  STORE=$SCRATCH/store
  mkdir -m 0700 "$STORE"
  chown "$CALLER_UID:$CALLER_GID" "$STORE"
  copy_of_tree "$SCRATCH/small"
  rm -rf --one-file-system "$SCRATCH"/small/{boot,var/cache,var/lib/apt,usr/lib/python3,usr/lib/x86_64-linux-gnu/perl*}
  local applications=$SCRATCH/small/usr/share/applications icons=$SCRATCH/small/usr/share/icons/hicolor/scalable/apps
  as_caller mkdir -p "$applications" "$icons"
  as_caller tee "$applications/paint.desktop" "$icons/paint.svg" >/dev/null </dev/null
  DATA=$SCRATCH/data
}
isolatectl() { as_caller env "XDG_DATA_HOME=$DATA" "$ISOLATECTL" --store "$STORE" "$@"; }

# The template "small" with a desktop entry and an icon: make_small_template ENTRY ICON.
make_small_template() {
  printf '%s\n' "$1" >"$SCRATCH/small/usr/share/applications/paint.desktop"
  printf '%s' "$2" >"$SCRATCH/small/usr/share/icons/hicolor/scalable/apps/paint.svg"
  succeeds isolatectl template create small --from "$SCRATCH/small"
}
entry() { cat "$DATA/applications/isolate-paint.desktop"; }
value_of() { sed -n "s/^$1=//p" "$DATA/applications/isolate-paint.desktop"; }

good_entry='[Desktop Entry]
Type=Application
Name=Paint
Name[de]=Malen
Comment=Draws
Exec=/usr/bin/paint --new %F
TryExec=/usr/bin/paint
Icon=paint
Categories=Graphics;Nonsense;
MimeType=text/html;
Actions=new;

[Desktop Action new]
Name=Another
Exec=evil'
good_icon='<?xml version="1.0"?><svg xmlns="http://www.w3.org/2000/svg" width="8" height="8"><rect width="8" height="8"/></svg>'

@test "a launcher has the template's name and icon, and starts the command in a fresh clone" {
  make_small_template "$good_entry" "$good_icon"
  succeeds isolatectl launcher create paint --template small -n -- paint --big 'a b' '100%'
  desktop-file-validate "$DATA/applications/isolate-paint.desktop"
  [[ $(value_of Name) == Paint && $(value_of 'Name\[de\]') == Malen && $(value_of Categories) == 'Graphics;' ]]
  [[ $(value_of Exec) == "$ISOLATE --store $STORE -q -z small --desktop -n -- paint --big \"a b\" 100%%" ]]
  refute grep -E 'MimeType|Actions|evil|%F' "$DATA/applications/isolate-paint.desktop"
  [[ $(cat "$DATA/icons/isolate-paint.svg") == "$good_icon" && $(value_of Icon) == "$DATA/icons/isolate-paint.svg" ]]
  succeeds isolatectl launcher list
  expect_output "NAME   TEMPLATE  COMMAND
paint  small     paint --big 'a b' 100%"
  succeeds isolatectl --json launcher list
  [[ $(jq -r '.[0].template' <<<"$output") == small ]]
  isolatectl_refuses 'is there already' -- isolatectl launcher create paint --template small -- paint
  succeeds isolatectl launcher remove paint
  [[ -z $(find "$DATA" -type f) ]]
  isolatectl_refuses 'no launcher paint' -- isolatectl launcher remove paint
}

@test "a desktop reads the same words out of its Exec" {
  make_small_template "$good_entry" "$good_icon"
  succeeds isolatectl launcher create echo --template small -- echo 'a  "b" $HOME \ `c` %f;'
  # A desktop undoes the escapes of the file, then those of the quotes, then the field codes.
  succeeds /usr/bin/python3 -I -S -c '
import re, sys
value = [line[5:].rstrip("\n") for line in open(sys.argv[1]) if line.startswith("Exec=")][0]
value = value.replace("\\\\", "\\")
words = re.findall(r"\"(?:[^\"\\]|\\.)*\"|[^ ]+", value)
print(re.sub(r"\\(.)", r"\1", words[-1][1:-1]).replace("%%", "%"))' "$DATA/applications/isolate-echo.desktop"
  expect_output 'a  "b" $HOME \ `c` %f;'
}

@test "nothing of a hostile desktop entry but checked texts is taken" {
  make_small_template "[Desktop Entry]
Type=Link
URL=file:///etc/passwd
Name=Paint$(printf '\033')[31m
Name[de]=Gut
Name=Second
Comment=$(printf 'x%.0s' {1..1000})
GenericName=a\\nExec=evil
Exec=paint
Exec=/bin/sh -c evil
Icon=../../../../etc/passwd
DBusActivatable=true
X-KDE-RunOnDiscreteGpu=true
Path=/
[Desktop Action x]
Exec=evil" "$good_icon"
  succeeds isolatectl launcher create paint --template small -- paint
  [[ $(grep -c '^Exec=' <<<"$(entry)") == 1 && $(value_of Exec) == "$ISOLATE "* && $(value_of Type) == Application ]]
  refute grep -E 'URL|DBusActivatable|Path=|^Exec=evil|/bin/sh|X-KDE|Comment' "$DATA/applications/isolate-paint.desktop"
  [[ $(value_of Icon) == application-x-executable ]]
  [[ ! -e $DATA/icons ]]
  desktop-file-validate "$DATA/applications/isolate-paint.desktop"
}

@test "an icon of a template that is a link, huge or no picture is not taken" {
  local bad place=$SCRATCH/small/usr/share/icons/hicolor/scalable/apps
  echo "$MARK" >"$SCRATCH/secret"
  ln -s "$SCRATCH/secret" "$place/link.svg"
  { echo '<svg>' && head -c 2097152 /dev/zero | tr '\0' ' '; } >"$place/huge.svg"
  truncate -s 100M "$place/huge.svg"
  echo '<svg><script>1</script></svg>' >"$place/script.svg"
  mkfifo "$place/pipe.svg"
  for bad in link huge script pipe; do
    printf '[Desktop Entry]\nName=Paint\nExec=%s\nIcon=%s\n' "$bad" "$bad" >"$SCRATCH/small/usr/share/applications/$bad.desktop"
  done
  make_small_template "$good_entry" "$good_icon"
  for bad in link huge script pipe; do
    succeeds isolatectl launcher create paint --template small -- "$bad"
    [[ $(value_of Icon) == application-x-executable && ! -e $DATA/icons && $(value_of Name) == Paint ]]
    [[ $bad == link || $bad == pipe ]] || expect_in_errors 'is not used'
    refute grep -r "$MARK" "$DATA"
    isolatectl launcher remove paint
  done
}

@test "--icon takes a picture of the user's, and nothing else" {
  make_small_template "$good_entry" "$good_icon"
  echo "$good_icon" >"$SCRATCH/mine.svg"
  succeeds isolatectl launcher create paint --template small --icon "$SCRATCH/mine.svg" -- paint
  cmp "$SCRATCH/mine.svg" "$DATA/icons/isolate-paint.svg"
  isolatectl_refuses 'neither a PNG nor an SVG' -- isolatectl launcher create other --template small --icon /etc/passwd -- paint
  [[ ! -e $DATA/applications/isolate-other.desktop ]]
}

@test "names, commands and templates are checked" {
  make_small_template "$good_entry" "$good_icon"
  for name in ../x a/b '' .x 'a b' $'a\nb'; do
    isolatectl_refuses '' -- isolatectl launcher create "$name" --template small -- paint
  done
  isolatectl_refuses 'no-such' -- isolatectl launcher create paint --template no-such -- paint
  isolatectl_refuses "can't have" -- isolatectl launcher create paint --template small -- paint $'a\nExec=evil'
  isolatectl_refuses 'no command' -- isolatectl launcher create paint --template small
  [[ -z $(find "$DATA" -type f 2>/dev/null) ]]
  : >"$SCRATCH/foreign"
  mkdir -p "$DATA/applications"
  printf '[Desktop Entry]\nName=x\n' >"$DATA/applications/isolate-foreign.desktop"
  isolatectl_refuses 'no launcher foreign' -- isolatectl launcher remove foreign
  [[ -e $DATA/applications/isolate-foreign.desktop ]]
}
