# What the tests stand on: a work folder, two users, the programs, a Debian root, a template in each store.
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
  for program in isolate isolatectl isolated isolate-init isolate-lxc seccomp_wrapper; do
    [[ -x $1/$program ]] || die "no program $1/$program: build first"
  done
  [[ ! -e /etc/isolate/config.toml ]] || die "/etc/isolate/config.toml would change what is tested: move it away first"
}

make_work_folder() {
  WORK=$(mktemp -d /var/tmp/isolate-test.XXXXXXXX)
  chmod 0755 "$WORK"
  mkdir -m 0755 "$WORK/home-root" "$WORK/scratch"
  mkdir -m 0700 "$WORK/store-root"
  # Programs of a sanitizer build write their findings here, whoever runs them.
  mkdir -m 1777 "$WORK/sanitizer"
  ASAN_OPTIONS=log_path=$WORK/sanitizer/report:exitcode=99
  UBSAN_OPTIONS=log_path=$WORK/sanitizer/report:exitcode=99:halt_on_error=1:print_stacktrace=1
  export WORK ASAN_OPTIONS UBSAN_OPTIONS
}

# User a has a range of 65536 subordinate ids, user b has none.
make_users() {
  USER_A=isotest${$}a
  USER_B=isotest${$}b
  local user
  for user in "$USER_A" "$USER_B"; do
    ! getent passwd "$user" >/dev/null || die "user $user exists already"
    useradd --no-create-home --home-dir "$WORK/home-$user" --shell /bin/sh "$user"
    mkdir -m 0700 "$WORK/home-$user"
    chown "$user:" "$WORK/home-$user"
    remove_subordinate_ids "$user"
  done
  local first
  first=$(first_free_subordinate_id)
  usermod --add-subuids "$first-$((first + 65535))" --add-subgids "$first-$((first + 65535))" "$USER_A"
  USER_A_UID=$(id -u "$USER_A")
  USER_A_GID=$(id -g "$USER_A")
  USER_B_UID=$(id -u "$USER_B")
  USER_B_GID=$(id -g "$USER_B")
  SUBORDINATE_BASE=$first
  export USER_A USER_B USER_A_UID USER_A_GID USER_B_UID USER_B_GID SUBORDINATE_BASE
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

# Copies of the programs that an ordinary user can reach; processes of this run are known by them.
place_programs() {
  BINDIR=$WORK/bin
  mkdir -m 0755 "$BINDIR"
  cp "$1/isolate" "$1/isolatectl" "$1/isolated" "$1/isolate-init" "$1/isolate-lxc" "$1/seccomp_wrapper" "$BINDIR/"
  chmod 0755 "$BINDIR"/*
  ISOLATE=$BINDIR/isolate
  ISOLATECTL=$BINDIR/isolatectl
  export BINDIR ISOLATE ISOLATECTL
}

# A Debian 12 root made by mmdebstrap with the package sources of this machine, kept for the next time.
make_tarball() {
  TARBALL=${ISOLATE_TEST_TARBALL:-/var/tmp/isolate-test-cache/debian-bookworm-minbase.tar}
  export TARBALL
  if [[ -f $TARBALL ]]; then return; fi
  [[ -z ${ISOLATE_TEST_TARBALL:-} ]] || die "ISOLATE_TEST_TARBALL: no file $TARBALL"
  bootstrap "$TARBALL"
}

# The same with an init, for containers that boot.
make_system_tarball() {
  SYSTEM_TARBALL=/var/tmp/isolate-test-cache/debian-bookworm-systemd.tar
  export SYSTEM_TARBALL
  [[ -f $SYSTEM_TARBALL ]] || bootstrap "$SYSTEM_TARBALL" --include=systemd-sysv,dbus,iproute2
}

# bootstrap TARBALL OPTION...
bootstrap() {
  local tarball=$1
  shift
  echo "making $tarball" >&2
  local options=("$@")
  if apt-config dump | grep -q 'Acquire::Check-Valid-Until "false"'; then
    options+=('--aptopt=Acquire::Check-Valid-Until "false"')
  fi
  apt-get indextargets --format 'deb $(REPO_URI) $(RELEASE) $(COMPONENT)' 'Created-By: Packages' |
    grep -E ' bookworm(-updates|-security)? ' | sort -u >"$WORK/sources.list"
  [[ -s $WORK/sources.list ]] || die 'the host has no source of Debian packages in its apt configuration'
  (umask 022 && mkdir -p "$(dirname "$tarball")")
  mmdebstrap --quiet --variant=minbase "${options[@]}" bookworm "$WORK/debian.tar" "$WORK/sources.list"
  chmod 0644 "$WORK/debian.tar"
  mv "$WORK/debian.tar" "$tarball"
}

# The same root unpacked, once owned as root has it, once as a user with subordinate ids has it: TREE of an identity.
make_roots() {
  mkdir -m 0755 "$WORK/tree-root" "$WORK/tree-user"
  local unpack=(tar --extract --numeric-owner --preserve-permissions --exclude './dev/*' --file "$TARBALL" --directory)
  "${unpack[@]}" "$WORK/tree-root"
  chown "$USER_A_UID:$USER_A_GID" "$WORK/tree-user"
  setpriv --reuid "$USER_A_UID" --regid "$USER_A_GID" --init-groups \
    unshare --user --map-root-user --map-users="$SUBORDINATE_BASE,1,65535" --map-groups="$SUBORDINATE_BASE,1,65535" \
    "${unpack[@]}" "$WORK/tree-user"
}

# Copies of both without /usr/share: what tests copy again, quickly.
make_small_roots() {
  local tree
  for tree in "$WORK/tree-root" "$WORK/tree-user"; do
    cp -a --link "$tree" "$tree-small"
    find "$tree-small/usr/share" -mindepth 1 -maxdepth 1 -exec rm -rf --one-file-system {} +
  done
}

# make_templates NAME TARBALL: one of each identity's.
make_templates() {
  local identity
  for identity in root user; do
    IDENTITY=$identity bash -c '
      source "$1/helpers.bash"
      as_caller "$ISOLATECTL" --store "$STORE" template create "$2" --from "$3"' bash \
      "$(dirname "${BASH_SOURCE[0]}")" "$@" ||
      die "the template $1 could not be made as $identity"
  done
}

remove_everything() {
  local status=0 user
  end_processes || status=1
  unmount_below "$WORK" || status=1
  for user in "${USER_A:-}" "${USER_B:-}"; do
    if [[ -n $user ]] && getent passwd "$user" >/dev/null; then userdel "$user" || status=1; fi
  done
  # The group that stores.bash makes, where a run was broken off.
  if [[ -e $WORK/stores/made-group ]]; then groupdel isolate || status=1; fi
  rm -rf --one-file-system "$WORK" || status=1
  return "$status"
}

# The identities' configuration names the engine that is not the default.
configure_engine() {
  local home
  [[ $ENGINE != bwrap ]] || return 0
  for home in "$WORK/home-root" "$WORK/home-$USER_A"; do
    install -d "$home/.config/isolate"
    echo "engine = \"$ENGINE\"" >"$home/.config/isolate/config.toml"
  done
}
