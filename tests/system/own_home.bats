# variants: root-bwrap user-bwrap user-lxc root-lxc root-native user-native: the namespace of the command lies below that of each engine and identity
# --home: the command has the caller's name and ids, and a home of its own.

load helpers

setup() {
  common_setup
  if [[ $IDENTITY == root ]]; then
    NAME=root NUMBERS=0:0 HOME_INSIDE=/root
  else
    NAME=$USER_A NUMBERS=$USER_A_UID:$USER_A_GID HOME_INSIDE=/home/$USER_A
  fi
  mkdir "$SCRATCH/kept"
  chmod 0700 "$SCRATCH/kept"
  chown "$CALLER_UID:$CALLER_GID" "$SCRATCH/kept"
}


# What a command says about its user.
whoami_inside='echo "$(id -un) $(id -u):$(id -g) $HOME $USER $LOGNAME $(pwd)"'

@test "the command is the caller, and starts in its home" {
  succeeds in_clone --home sh -c "$whoami_inside; getent passwd \"\$(id -u)\" | cut -d: -f1,6; stat -c %u:%g:%a ."
  expect_output "$NAME $NUMBERS $HOME_INSIDE $NAME $NAME $HOME_INSIDE
$NAME:$HOME_INSIDE
$NUMBERS:700"
}

@test "--home works in the same way with the chroot engine" {
  succeeds in_clone -e chroot --home sh -c "$whoami_inside"
  expect_output "$NAME $NUMBERS $HOME_INSIDE $NAME $NAME $HOME_INSIDE"
}

@test "a home is removed with the clone" {
  succeeds in_clone --home sh -c 'echo mine >"$HOME/file" && cat ~/file'
  expect_output mine
  succeeds in_clone --home sh -c 'ls "$HOME"'
  expect_output ''
}

@test "a home in DIR stays, and DIR is made when it is missing" {
  rmdir "$SCRATCH/kept"
  succeeds in_clone --home="$SCRATCH/kept" sh -c "$whoami_inside; echo mine >file"
  expect_output "$NAME $NUMBERS $HOME_INSIDE $NAME $NAME $HOME_INSIDE"
  [[ $(stat -c %u:%g:%a "$SCRATCH/kept" "$SCRATCH/kept/file") == "$CALLER_UID:$CALLER_GID:700
$CALLER_UID:$CALLER_GID:644" ]]
  succeeds in_clone --home="$SCRATCH/kept" cat file
  expect_output mine
  cd "$SCRATCH" || return 1
  succeeds in_clone --home=kept -e chroot cat file
  expect_output mine
}

@test "parents of DIR are not made" {
  isolate_refuses 'directory above it is missing' -- in_clone --home="$SCRATCH/no/such" true
}

@test "--dry-run prints the user and makes nothing" {
  succeeds in_clone --dry-run --home="$SCRATCH/new" true
  expect_in_output "user: $NAME ($NUMBERS), home $HOME_INSIDE"
  [[ ! -e $SCRATCH/new ]]
}

@test "DIR is never the caller's own home, a link to it, a directory above it, or another user's directory" {
  ln -s "$CALLER_HOME" "$SCRATCH/link"
  isolate_refuses 'own home' -- in_clone --home="$CALLER_HOME" true
  isolate_refuses 'own home' -- in_clone --home="$CALLER_HOME/" true
  isolate_refuses 'own home' -- in_clone --home="$SCRATCH/link" true
  isolate_refuses 'own home' -- in_clone --home="$SCRATCH/link/." true
  isolate_refuses 'own home' -- in_clone --home="$(dirname "$CALLER_HOME")" true
  isolate_refuses 'own home' -- in_clone --home=/ true
  mkdir -m 0777 "$SCRATCH/theirs" "$SCRATCH/open"
  chown "$USER_B_UID" "$SCRATCH/theirs"
  chown "$CALLER_UID" "$SCRATCH/open"
  chmod 0777 "$SCRATCH/open"
  isolate_refuses "belongs to user $USER_B_UID" -- in_clone --home="$SCRATCH/theirs" true
  isolate_refuses 'written by everybody' -- in_clone --home="$SCRATCH/open" true
  : >"$SCRATCH/file"
  isolate_refuses 'not a directory' -- in_clone --home="$SCRATCH/file" true
  ln -s "$SCRATCH/nowhere" "$SCRATCH/dangling"
  isolate_refuses 'dangling' -- in_clone --home="$SCRATCH/dangling" true
  # Control: a directory in the caller's home is accepted.
  succeeds in_clone --home="$CALLER_HOME/of-a-guest" sh -c 'touch made'
  rm "$CALLER_HOME/of-a-guest/made"
  rmdir "$CALLER_HOME/of-a-guest"
}

@test "DIR is not the caller's own home under another path either" {
  mkdir "$SCRATCH/bound"
  fails_plainly 125 isolate 'own home' -- in_private_mounts "mount --bind $CALLER_HOME $SCRATCH/bound" \
    "$ISOLATE" --store "$STORE" -q -z debian --home="$SCRATCH/bound" true
  fails_plainly 125 isolate 'own home' -- in_private_mounts "mount --bind $(dirname "$CALLER_HOME") $SCRATCH/bound" \
    "$ISOLATE" --store "$STORE" -q -z debian --home="$SCRATCH/bound" true
}

@test "the command has no capabilities and can't get any, and root's files are its own" {
  [[ $IDENTITY == user ]] || return 0 # root stays root
  succeeds in_clone --home sh -c 'grep -E "^(Cap(Inh|Prm|Eff|Amb)|NoNewPrivs)" /proc/self/status; stat -c %u:%g / /etc'
  expect_output "CapInh:	0000000000000000
CapPrm:	0000000000000000
CapEff:	0000000000000000
CapAmb:	0000000000000000
NoNewPrivs:	1
$NUMBERS
$NUMBERS"
  succeeds in_clone --home sh -c 'cat /proc/self/uid_map /proc/self/setgroups'
  [[ $(tr -s ' \n' ' ' <<<"$output") == " $USER_A_UID 0 1 deny " ]] || complain "another map"
  run in_clone --home mount -t tmpfs x /mnt
  [[ $status != 0 ]]
  run in_clone --home --seccomp=none -e chroot su -c 'id -u'
  [[ $status != 0 ]]
  run in_clone --home chown 1:1 /etc/hostname
  [[ $status != 0 ]]
  isolate_refuses 'no capabilities' -- in_clone --home --cap-add NET_ADMIN true
  succeeds in_clone --home --cap-drop ALL id -u
  expect_output "$USER_A_UID"
}

@test "with -t the directory stays as it was" {
  local before
  before=$(fingerprint "$TREE" | tail -n +2) # LXC changes the time of the top directory
  succeeds isolate -q -t "$TREE" --home sh -c "$whoami_inside; touch file; stat -f -c %T ."
  expect_output "$NAME $NUMBERS $HOME_INSIDE $NAME $NAME $HOME_INSIDE
tmpfs"
  diff <(echo "$before") <(fingerprint "$TREE" | tail -n +2)
}

@test "a read-only root has a home that can be written" {
  succeeds in_clone --read-only --home sh -c 'touch file && stat -f -c %T . && stat -c %u .'
  expect_output "tmpfs
${NUMBERS%:*}"
}

@test "if the template has a directory of that name, it belongs to the user in the clone" {
  [[ $IDENTITY == user ]] || return 0 # root stays root
  succeeds isolate -q -z debian --home sh -c 'grep -c "^root:" /etc/passwd; grep "^$USER:" /etc/group /etc/passwd | wc -l'
  copy_of_tree "$SCRATCH/tree"
  as_caller mkdir -p "$SCRATCH/tree/home/$USER_A"
  as_caller touch "$SCRATCH/tree/home/$USER_A/there"
  isolatectl template create with-home --from "$SCRATCH/tree"
  succeeds isolate -q -z with-home --home sh -c 'ls; touch new; stat -c %u:%a .'
  isolatectl template remove with-home
  expect_output "there
$USER_A_UID:700"
}

@test "--home works together with --here, -p, -d and -v" {
  mkdir "$SCRATCH/work"
  chown "$CALLER_UID:$CALLER_GID" "$SCRATCH/work"
  cd "$SCRATCH/work" || return 1
  succeeds in_clone --home --here sh -c "$whoami_inside; touch made; stat -c %u:%g made"
  expect_output "$NAME $NUMBERS $HOME_INSIDE $NAME $NAME $SCRATCH/work
$NUMBERS"
  [[ $(stat -c %u:%g made) == "$CALLER_UID:$CALLER_GID" ]]
  succeeds in_clone --home -p /etc pwd
  expect_output /etc
  succeeds in_clone --home -d "$SCRATCH/work:$HOME_INSIDE/work" sh -c 'ls work; touch beside'
  expect_output made
  succeeds in_clone --home -d "$SCRATCH/work:/tmp" ls /tmp
  expect_output made
  succeeds in_clone --home -v USER:other sh -c 'echo "$USER"'
  expect_output other
}

@test "--home works with --userns=single and private, but private accepts no DIR" {
  [[ $IDENTITY == user ]] || return 0 # root stays root
  succeeds in_clone --userns=single --home="$SCRATCH/kept" sh -c "$whoami_inside; touch file"
  expect_output "$NAME $NUMBERS $HOME_INSIDE $NAME $NAME $HOME_INSIDE"
  succeeds in_clone --userns=private --home sh -c "$whoami_inside; touch file; stat -c %u file"
  expect_output "$NAME $NUMBERS $HOME_INSIDE $NAME $NAME $HOME_INSIDE
$USER_A_UID"
  isolate_refuses 'private' -- in_clone --userns=private --home="$SCRATCH/kept" true
}

@test "a terminal of its own, and job control, work" {
  succeeds in_clone --home --pty sh -c 'tty; id -un; stat -c %u "$(tty)"; sh -mc "sleep 0 & wait; echo ended"'
  expect_output $'/dev/pts/0\r\n'"$NAME"$'\r\n'"${NUMBERS%:*}"$'\r\nended\r'
}

@test "isolatectl exec runs its command as the same user, in the same home" {
  start_isolate -q -z debian --home sh -c "echo up; sleep $MARK & wait"
  wait_until 5 grep -q up "$SCRATCH/out"
  local lease
  lease=$(find "$STORE/pools/debian/leased" -mindepth 1 -maxdepth 1 -printf '%f\n')
  succeeds isolatectl exec "$lease" sh -c "$whoami_inside; touch file; echo EXTRA=\$EXTRA; kill -l >/dev/null"
  expect_output "$NAME $NUMBERS $HOME_INSIDE $NAME $NAME $HOME_INSIDE
EXTRA="
  if [[ $IDENTITY == user ]]; then
    succeeds isolatectl exec "$lease" grep -E '^Cap(Eff|Prm|Inh)' /proc/self/status
    expect_output "$(printf 'Cap%s:\t0000000000000000\n' Inh Prm Eff)"
  fi
  # It may send signals to the first command, which belongs to the same user.
  # The guest may end before this command reports that.
  run isolatectl exec "$lease" sh -c 'for i in /proc/[0-9]*; do
      if [ "$(cat $i/comm)" = sleep ]; then kill "${i#/proc/}"; fi
    done'
  end_of_started
  [[ $STATUS == 0 ]]
}

@test "hooks run outside and see the root, as without --home" {
  succeeds with_variables PRE_SPAWN_HOOK='test -d "$ROOTFS/etc" && id -u >&2' -- -q -z debian --home id -un
  expect_output "$NAME"
}

@test "--ulimit nproc limits the user's processes in the guest" {
  [[ $IDENTITY == user ]] || return 0 # root stays root
  run in_clone --home --ulimit nproc=20 sh -c 'for i in $(seq 40); do sleep 5 & done'
  [[ $status != 0 || $output == *fork* ]]
}

@test "without a user namespace for the command the run fails, and the command never runs as root" {
  [[ $IDENTITY == user ]] || return 0 # root stays root
  fails_plainly 125 isolate --home -- with_kernel_limit max_user_namespaces 2 "$ISOLATE" --store "$STORE" -q -z debian \
    --home id -u
}
