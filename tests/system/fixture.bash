# What the tests need: a work directory, two users, the programs, a Debian root, and a template in each store.
# shellcheck shell=bash

die() {
  echo "tests/system/run: $*" >&2
  exit 1
}

check_machine() {
  [[ $(id -u) == 0 ]] || die "must run as root: it makes users, and runs the programs as root and as a user"
  local program missing=()
  for program in bats bwrap mmdebstrap newuidmap newgidmap jq pgrep useradd usermod userdel setpriv unshare nsenter \
    prlimit findmnt losetup ip lxc-start mkfs.ext4 mkfs.btrfs zfs-fuse tar apt-get gcc; do
    command -v "$program" >/dev/null || missing+=("$program")
  done
  [[ -x /usr/bin/python3 ]] || missing+=(/usr/bin/python3)
  [[ ${#missing[@]} -eq 0 ]] || die "not installed: ${missing[*]}"
  for program in isolate isolatectl isolated isolate-init isolate-lxc isolate-wayland isolate-x11 isolate-zfs seccomp_wrapper; do
    [[ -x $1/$program ]] || die "no program $1/$program: build first"
  done
  ! grep -qsvE '^[[:space:]]*(#|$)' /etc/isolate/config.toml ||
    die "the settings in /etc/isolate/config.toml would change what is tested: move it away first"
}

# make_work_folder NUMBER: makes a worker's directory. It is in memory if possible, so that nothing waits for the disk.
make_work_folder() {
  local number=$1
  WORK=$BASE/$number
  mkdir -m 0755 "$WORK"
  if [[ $IN_MEMORY == yes ]]; then mount -t tmpfs -o mode=0755,size=80% tmpfs "$WORK"; fi
  mkdir -m 0755 "$WORK/home-root" "$WORK/scratch"
  mkdir -m 0700 "$WORK/store-root"
  local user
  for user in "$USER_A" "$USER_B"; do install -d -m 0700 -o "$user" -g "$user" "$WORK/home-$user"; done
  # Programs of a sanitizer build write their reports here, whoever runs them.
  mkdir -m 1777 "$WORK/sanitizer"
  ASAN_OPTIONS=log_path=$WORK/sanitizer/report:exitcode=99
  UBSAN_OPTIONS=log_path=$WORK/sanitizer/report:exitcode=99:halt_on_error=1:print_stacktrace=1
  export WORK ASAN_OPTIONS UBSAN_OPTIONS
}

# make_users NUMBER: makes a worker's users. User a has a range of 65536 subordinate ids, user b has none.
make_users() {
  local number=$1 user first
  USER_A=isotest${$}a$number
  USER_B=isotest${$}b$number
  for user in "$USER_A" "$USER_B"; do
    ! getent passwd "$user" >/dev/null || die "user $user exists already"
    useradd --no-create-home --home-dir "$BASE/$number/home-$user" --shell /bin/sh "$user"
    echo "$user" >>"$BASE/users"
    remove_subordinate_ids "$user"
  done
  first=$(first_free_subordinate_id)
  usermod --add-subuids "$first-$((first + 65535))" --add-subgids "$first-$((first + 65535))" "$USER_A"
  cat >"$BASE/users-$number" <<SH
export USER_A=$USER_A USER_A_UID=$(id -u "$USER_A") USER_A_GID=$(id -g "$USER_A")
export USER_B=$USER_B USER_B_UID=$(id -u "$USER_B") USER_B_GID=$(id -g "$USER_B")
export SUBORDINATE_BASE=$first
SH
}

remove_users() {
  local user status=0
  while read -r user; do
    userdel "$user" || status=1
  done < <(cat "$BASE/users" 2>/dev/null)
  if [[ -e $BASE/made-group ]]; then groupdel isolate || status=1; fi
  return "$status"
}

# Makes the group of the daemon's members, as the package does.
make_group() {
  if getent group isolate >/dev/null; then return; fi
  groupadd --system isolate
  : >"$BASE/made-group"
}

# Compiles the attacking programs, once for all files.
make_attacks() {
  if cut -d ' ' -f 1 "$BASE/jobs" | xargs grep -q 'place_attacks\|^load x11'; then "$(dirname "${BASH_SOURCE[0]}")/../attacks/build" "$BASE/attacks"; fi
}

remove_subordinate_ids() {
  local user=$1 name first count
  while IFS=: read -r name first count; do
    [[ $name == "$user" ]] && usermod --del-subuids "$first-$((first + count - 1))" "$user"
  done < <(cat /etc/subuid)
  while IFS=: read -r name first count; do
    [[ $name == "$user" ]] && usermod --del-subgids "$first-$((first + count - 1))" "$user"
  done < <(cat /etc/subgid)
  return 0
}

first_free_subordinate_id() {
  awk -F: 'BEGIN { free = 200000 } { end = $2 + $3; if (end > free) free = end } END { print free }' \
    /etc/subuid /etc/subgid
}

# Copies the programs to where an ordinary user can reach them. Processes of this test run are recognized by these
# copies.
place_programs() {
  BINDIR=$WORK/bin
  mkdir -m 0755 "$BINDIR"
  local program
  for program in isolate isolatectl isolated isolate-init isolate-lxc isolate-wayland isolate-x11 isolate-zfs seccomp_wrapper; do
    cp "$1/$program" "$BINDIR/"
  done
  cp "$(dirname "${BASH_SOURCE[0]}")/warm_isolate" "$BINDIR/"
  chmod 0755 "$BINDIR"/*
  ISOLATE=$BINDIR/isolate
  ISOLATECTL=$BINDIR/isolatectl
  export BINDIR ISOLATE ISOLATECTL
}

# Makes a Debian 12 root with mmdebstrap and the package sources of this machine, and keeps it for the next time.
make_tarball() {
  TARBALL=${ISOLATE_TEST_TARBALL:-/var/tmp/isolate-test-cache/debian-bookworm-minbase.tar}
  export TARBALL
  if [[ -f $TARBALL ]]; then return; fi
  [[ -z ${ISOLATE_TEST_TARBALL:-} ]] || die "ISOLATE_TEST_TARBALL: no file $TARBALL"
  bootstrap "$TARBALL"
}

# Makes the same with an init, for containers that boot.
make_system_tarball() {
  SYSTEM_TARBALL=/var/tmp/isolate-test-cache/debian-bookworm-systemd.tar
  export SYSTEM_TARBALL
  [[ -f $SYSTEM_TARBALL ]] || bootstrap "$SYSTEM_TARBALL" --include=systemd-sysv,dbus,iproute2
}

# Makes the same root with programs that show windows and play sound.
make_desktop_tarball() {
  DESKTOP_TARBALL=/var/tmp/isolate-test-cache/debian-bookworm-desktop.tar
  export DESKTOP_TARBALL
  [[ -f $DESKTOP_TARBALL ]] || bootstrap_desktop "$DESKTOP_TARBALL"
}

# Makes the same root with a browser, which is as large as everything else together.
make_browser_tarball() {
  BROWSER_TARBALL=/var/tmp/isolate-test-cache/debian-bookworm-browser.tar
  export BROWSER_TARBALL
  [[ -f $BROWSER_TARBALL ]] || bootstrap_desktop "$BROWSER_TARBALL" firefox-esr
}

# bootstrap_desktop TARBALL PACKAGE...: makes a root without documentation, translations, and what only OpenGL and perl
# need, because each worker unpacks it into memory.
bootstrap_desktop() {
  local tarball=$1
  shift
  local packages=(xterm x11-apps x11-utils xdotool yad speedcrunch pulseaudio-utils pipewire-bin dbus-bin libglib2.0-bin
    wayland-utils fonts-dejavu-core "$@")
  bootstrap_small "$tarball" bookworm "${packages[@]}"
}

# A Debian 13 root with a Wayland compositor that has security contexts.
make_compositor_tarball() {
  COMPOSITOR_TARBALL=/var/tmp/isolate-test-cache/debian-trixie-compositor.tar
  export COMPOSITOR_TARBALL
  [[ -f $COMPOSITOR_TARBALL ]] || bootstrap_small "$COMPOSITOR_TARBALL" trixie sway wayland-utils fonts-dejavu-core
}

# bootstrap_small TARBALL SUITE PACKAGE...: each worker unpacks it into memory, so it lacks documentation, translations
# and what only OpenGL and perl need.
bootstrap_small() {
  local tarball=$1 suite=$2 path options=()
  shift 2
  for path in /usr/share/{doc,man,info,locale,lintian,bug,help} /usr/lib/x86_64-linux-gnu/{libLLVM,libz3.so,dri}; do
    options+=("--dpkgopt=path-exclude=$path*")
  done
  # Packages run perl while they are installed, so it is removed afterwards.
  options+=("--customize-hook=cd \"\$1\" && rm -rf usr/share/perl usr/lib/x86_64-linux-gnu/perl usr/share/groff \
    usr/lib/x86_64-linux-gnu/libperl.so.* usr/share/icons/Adwaita/cursors var/cache/fontconfig")
  SUITE=$suite bootstrap "$tarball" "${options[@]}" "--include=$(IFS=, && echo "$*")"
}

# bootstrap TARBALL OPTION...: makes a root of the suite SUITE, bookworm unless set, with the package sources of this
# machine, and packs it.
bootstrap() {
  local tarball=$1 suite=${SUITE:-bookworm}
  shift
  echo "making $tarball" >&2
  local options=(--dpkgopt=force-unsafe-io "$@")
  if apt-config dump | grep -q 'Acquire::Check-Valid-Until "false"'; then
    options+=('--aptopt=Acquire::Check-Valid-Until "false"')
  fi
  apt-get indextargets --format 'deb $(REPO_URI) $(RELEASE) $(COMPONENT)' 'Created-By: Packages' |
    grep -E ' bookworm(-updates|-security)? ' | sed "s/ bookworm/ $suite/" | sort -u >"$BASE/sources.list"
  [[ -s $BASE/sources.list ]] || die 'the host has no source of Debian packages in its apt configuration'
  (umask 022 && mkdir -p "$(dirname "$tarball")")
  mmdebstrap --quiet --variant=minbase "${options[@]}" "$suite" "$BASE/debian.tar" "$BASE/sources.list"
  chmod 0644 "$BASE/debian.tar"
  mv "$BASE/debian.tar" "$tarball"
}

# Unpacks that root for the identity, as its TREE, with the identity's ids as owners. Done once for a worker.
make_identity() {
  local tree=$WORK/tree-$IDENTITY as_owner=()
  if [[ -e $tree-small ]]; then return; fi
  mkdir -m 0755 "$tree"
  if [[ $IDENTITY == user ]]; then
    chown "$USER_A_UID:$USER_A_GID" "$tree"
    as_owner=(setpriv --reuid "$USER_A_UID" --regid "$USER_A_GID" --init-groups
      unshare --user --map-root-user --map-users="$SUBORDINATE_BASE,1,65535" --map-groups="$SUBORDINATE_BASE,1,65535")
  fi
  "${as_owner[@]}" tar --extract --numeric-owner --preserve-permissions --exclude './dev/*' --file "$TARBALL" \
    --directory "$tree"
  make_small_root "$tree"
}

# Makes a copy without /usr/share, which tests can copy quickly.
make_small_root() {
  cp -a --link "$1" "$1-small"
  find "$1-small/usr/share" -mindepth 1 -maxdepth 1 -exec rm -rf --one-file-system {} +
}

# make_template NAME TARBALL: makes a template in the identity's store, once for a worker.
make_template() {
  if [[ -e $WORK/template-$1-$IDENTITY ]]; then return; fi
  bash -c '
    source "$1/helpers.bash"
    as_caller "$ISOLATECTL" --store "$STORE" template create "$2" --from "$3"' bash \
    "$(dirname "${BASH_SOURCE[0]}")" "$@" || die "the template $1 could not be made as $IDENTITY"
  : >"$WORK/template-$1-$IDENTITY"
}

# Writes the engine into the identity's configuration, unless it is the default.
configure_engine() {
  local home=$WORK/home-root
  if [[ $IDENTITY == user ]]; then home=$WORK/home-$USER_A; fi
  rm -rf "$home/.config/isolate"
  if [[ $ENGINE == bwrap ]]; then return; fi
  install -d "$home/.config/isolate"
  echo "engine = \"$ENGINE\"" >"$home/.config/isolate/config.toml"
}
