# variants: root-bwrap user-lxc user-native: each identity and each engine once, as no test depends on the pair
# other variants: user-bwrap root-lxc root-native root-warm user-warm
# -d: directories and files of the host inside the guest.

load helpers

setup() {
  common_setup
  mkdir "$SCRATCH/dir" "$SCRATCH/other"
  echo host >"$SCRATCH/dir/file"
  echo other >"$SCRATCH/other/file"
  chown -R "$CALLER_UID:$CALLER_GID" "$SCRATCH"
}

@test "a bound directory and what is written to it are shared" {
  succeeds in_clone -d "$SCRATCH/dir:/mnt" \
    sh -c 'cat /mnt/file; echo guest >/mnt/new; stat -c %u:%g /mnt /mnt/file /mnt/new'
  expect_output $'host\n0:0\n0:0\n0:0'
  [[ $(cat "$SCRATCH/dir/new") == guest ]]
  [[ $(stat -c %u:%g "$SCRATCH/dir/new") == "$CALLER_UID:$CALLER_GID" ]]
}

@test "a bound file is shared" {
  succeeds in_clone -d "$SCRATCH/dir/file:/etc/hostname" sh -c 'cat /etc/hostname; echo guest >/etc/hostname'
  expect_output host
  [[ $(cat "$SCRATCH/dir/file") == guest ]]
}

@test "several binds can be nested, and are mounted in the order given" {
  succeeds in_clone -d "$SCRATCH/dir:/a" -d "$SCRATCH/other:/b:ro" -d "$SCRATCH/other:/a/inner" \
    -d "$SCRATCH/dir/file:/c" sh -c 'cat /a/file /b/file /a/inner/file /c'
  expect_output $'host\nother\nother\nhost'
}

@test "missing targets are made and belong to root" {
  succeeds in_clone -d "$SCRATCH/dir:/made/deep/dir" -d "$SCRATCH/dir/file:/made/deeper/still/file" \
    -d "$SCRATCH/dir:/tmp/x/y" -d "$SCRATCH/dir:/home/user/dir" -d "$SCRATCH/dir:/dev/shm/dir" sh -c '
      cat /made/deep/dir/file /made/deeper/still/file /tmp/x/y/file /home/user/dir/file
      stat -c "%u %a" /made /made/deeper'
  expect_output $'host\nhost\nhost\nhost\n0 755\n0 755'
}

@test "a :ro bind can't be written" {
  succeeds in_clone -d "$SCRATCH/dir:/mnt:ro" -d "$SCRATCH/dir/file:/file:ro" sh -c '
    cat /mnt/file
    ! echo x >/mnt/file && ! touch /mnt/new && ! rm /mnt/file && ! chmod 777 /mnt && ! echo x >/file && echo kept'
  expect_output $'host\nkept'
  [[ $(cat "$SCRATCH/dir/file") == host && ! -e $SCRATCH/dir/new ]]
}

@test "mounts below a :ro source are read-only as well" {
  mkdir "$SCRATCH/dir/below"
  mount -t tmpfs -o mode=0777 tmpfs "$SCRATCH/dir/below"
  run --separate-stderr in_clone -d "$SCRATCH/dir:/mnt:ro" sh -c 'echo x >/mnt/below/x && echo written'
  expect_not_in_output written
  [[ ! -e $SCRATCH/dir/below/x ]]
}

# Ways in which a guest with every capability tries to write to a read-only mount on /mnt.
REMOUNT='mount -o remount,rw /mnt; mount -o remount,bind,rw /mnt; mount --bind /mnt /srv; mount -o remount,bind,rw /srv
  umount /mnt; mount -o remount,bind,rw,nosuid,nodev /mnt
  echo x >/mnt/new; echo x >/srv/new; true'

@test "control: as root in plain bwrap, a read-only bind can be made writable" {
  if [[ $IDENTITY == root ]]; then
    # Shows that the next test can fail.
    run bwrap --bind "$TREE" / --dev /dev --ro-bind "$SCRATCH/dir" /mnt --cap-add ALL -- /bin/sh -c "$REMOUNT"
    [[ -e $SCRATCH/dir/new ]]
  else
    # A user can't do this to a read-only bind, so the control uses a writable one.
    run as_caller bwrap --bind "$TREE" / --dev /dev --bind "$SCRATCH/dir" /mnt -- /bin/sh -c "$REMOUNT"
    [[ -e $SCRATCH/dir/new ]]
  fi
}

@test ":ro can't be made writable from inside, whatever capabilities the guest has" {
  local options
  for options in '' '--cap-add ALL' '--cap-add ALL --userns=private'; do
    # shellcheck disable=SC2086
    run --separate-stderr in_clone $options -d "$SCRATCH/dir:/mnt:ro" sh -c "$REMOUNT"
    [[ ! -e $SCRATCH/dir/new ]] || complain "written with '$options'"
    # Also from a user namespace that the guest makes.
    # shellcheck disable=SC2086
    run --separate-stderr in_clone $options -d "$SCRATCH/dir:/mnt:ro" unshare -Urm sh -c "$REMOUNT"
    [[ ! -e $SCRATCH/dir/new ]] || complain "written with '$options' and unshare"
  done
}

@test "set-user-id and device files in a bound directory have no effect" {
  succeeds in_clone -d "$SCRATCH/dir:/mnt" sh -c 'grep " /mnt " /proc/self/mountinfo | cut -d" " -f6'
  expect_in_output nosuid
  expect_in_output nodev
}

# As with /dev/kvm, a group of the host may open the device, which belongs to root. Nobody in root's guest is in that
# group.
@test "a bound device can be opened in root's guest, whoever owns it, and keeps the host's mode" {
  [[ $IDENTITY == root ]] || return 0
  local case kind major minor mode owner
  for case in 'c 1 5 660 0:106' 'c 1 5 600 0:0' 'c 1 5 600 70000:70000'; do
    read -r kind major minor mode owner <<<"$case"
    mknod "$SCRATCH/device" "$kind" "$major" "$minor"
    chown "$owner" "$SCRATCH/device"
    chmod "$mode" "$SCRATCH/device"
    succeeds in_clone -d "$SCRATCH/device:/dev/given" sh -c 'head -c 3 /dev/given | wc -c; stat -c "%a %t:%T %u:%g" /dev/given'
    [[ $output == $'3\n'"$mode 1:5 ${owner/70000:70000/0:0}" ]] || complain "$case"
    # The guest can't change the host's node.
    succeeds in_clone -d "$SCRATCH/device:/dev/given" chmod 666 /dev/given
    [[ $(stat -c %a "$SCRATCH/device") == "$mode" ]] || complain "the host's mode has changed"
    rm "$SCRATCH/device"
  done
}

@test "isolate warns root of a bind whose owner has an id above those inside, and of a bound socket" {
  [[ $IDENTITY == root ]] || return 0
  chown 70000:70000 "$SCRATCH/dir"
  succeeds isolate -z debian -d "$SCRATCH/dir:/mnt" true
  expect_in_errors "warning: bind $SCRATCH/dir: it belongs to 70000:70000"
  [[ ${#stderr_lines[@]} == 1 ]]
  perl -MIO::Socket::UNIX -e 'IO::Socket::UNIX->new(Local => shift, Listen => 1) or die' "$SCRATCH/socket"
  succeeds isolate -z debian -d "$SCRATCH/socket:/run/socket" true
  expect_in_errors "warning: bind $SCRATCH/socket: a server that checks who connects"
  [[ ${#stderr_lines[@]} == 1 ]]
  succeeds isolate -z debian -d "$SCRATCH/other:/mnt" true
  expect_no_errors
}

@test "a missing source is refused, and the error names it" {
  isolate_refuses "$SCRATCH/nothing" 'No such file' -- isolate -z debian -d "$SCRATCH/nothing:/mnt" true
}

@test "a source that is a link is followed with the caller's rights" {
  ln -s dir "$SCRATCH/link"
  ln -s /no/such "$SCRATCH/dangling"
  succeeds in_clone -d "$SCRATCH/link:/mnt" cat /mnt/file
  expect_output host
  isolate_refuses "$SCRATCH/dangling" -- isolate -z debian -d "$SCRATCH/dangling:/mnt" true
}

@test "a directory can't be bound on a file, or a file on a directory" {
  isolate_refuses /etc/passwd -- isolate -z debian -d "$SCRATCH/dir:/etc/passwd" true
  isolate_refuses /etc -- isolate -z debian -d "$SCRATCH/dir/file:/etc" true
}

@test "a source that the caller can't reach or read gives nothing away" {
  mkdir -m 0700 "$SCRATCH/closed"
  echo secret-4711 >"$SCRATCH/closed/file"
  echo secret-4711 >"$SCRATCH/private"
  chmod 0600 "$SCRATCH/private"
  chown -R root: "$SCRATCH/closed" "$SCRATCH/private"
  if [[ $IDENTITY == user ]]; then
    isolate_refuses "$SCRATCH/closed/file" 'Permission denied' -- isolate -z debian -d "$SCRATCH/closed/file:/mnt" true
    run --separate-stderr in_clone -d "$SCRATCH/private:/x" -d "$SCRATCH/closed:/y" cat /x /y/file
    [[ $status != 0 ]] || complain "it was read"
    expect_not_in_output secret-4711
    run --separate-stderr in_clone -d /etc/shadow:/x cat /x
    [[ $status != 0 ]] || complain "it was read"
  else
    # Root inside can read root's own files.
    succeeds in_clone -d "$SCRATCH/private:/x" -d "$SCRATCH/closed:/y" cat /x /y/file
    expect_output $'secret-4711\nsecret-4711'
  fi
}

@test "a mount made in the guest does not appear outside, and a mount made outside does not appear in the guest" {
  mkfifo -m 0666 "$SCRATCH/go"
  start_isolate -q -z debian --cap-add SYS_ADMIN -d "$SCRATCH:/s" \
    sh -c 'mount -t tmpfs x /s/dir; touch /s/ready; read x </s/go; grep -c " /s/other" /proc/self/mountinfo'
  wait_until 10 test -e "$SCRATCH/ready"
  [[ $(findmnt --noheadings --output FSTYPE --mountpoint "$SCRATCH/dir" || true) == '' ]]
  mount -t tmpfs x "$SCRATCH/other"
  echo >"$SCRATCH/go"
  end_of_started
  umount "$SCRATCH/other"
  [[ $(cat "$SCRATCH/out") == 0 ]]
}

@test "names with blanks, quotes and commas can be bound" {
  local name="a b,c'd\"e\\f"
  mkdir "$SCRATCH/$name"
  echo odd >"$SCRATCH/$name/file"
  succeeds in_clone -d "$SCRATCH/$name:/mnt/$name" cat "/mnt/$name/file"
  expect_output odd
}

# --- shorthands and odd places ----------------------------------------------------------------------------------------

@test "-d DIR binds to the same path, also with :ro and a relative name; --here binds the current directory" {
  succeeds in_clone -d "$SCRATCH/dir" cat "$SCRATCH/dir/file"
  expect_output host
  succeeds in_clone -d "$SCRATCH/dir:ro" -d "$SCRATCH/other/file" \
    sh -c "cat $SCRATCH/dir/file $SCRATCH/other/file; ! touch $SCRATCH/dir/new && echo kept"
  expect_output $'host\nother\nkept'
  # shellcheck disable=SC2016  # for the shell that is started
  succeeds as_caller sh -c 'cd "$1/dir" && exec "$2" --store "$3" -q -z debian -d ../other --here \
    sh -c "pwd; cat file ../other/file; echo new >made"' sh "$SCRATCH" "$ISOLATE" "$STORE"
  expect_output "$SCRATCH/dir"$'\nhost\nother'
  [[ $(cat "$SCRATCH/dir/made") == new ]]
  # shellcheck disable=SC2016
  succeeds as_caller sh -c 'cd "$1/dir" && exec "$2" --store "$3" -q -z debian --here -p / pwd' \
    sh "$SCRATCH" "$ISOLATE" "$STORE"
  expect_output /
  # shellcheck disable=SC2016
  isolate_refuses --here root -- as_caller sh -c 'cd / && exec "$0" --store "$1" -q -z debian --here true' "$ISOLATE" "$STORE"
  isolate_refuses "$SCRATCH/nothing" -- isolate -z debian -d "$SCRATCH/nothing" true
}

# bats test_tags=once
@test "the last colon in -d separates source and target, and \\: stands for a colon in a name" {
  local name=2026-01-01T10:20:30
  mkdir "$SCRATCH/$name"
  echo dated >"$SCRATCH/$name/file"
  succeeds in_clone -d "$SCRATCH/$name:/x:ro" sh -c 'cat /x/file; ! touch /x/new && echo kept'
  expect_output $'dated\nkept'
  succeeds in_clone -d "$SCRATCH/${name//:/\\:}:/x" cat /x/file
  expect_output dated
  succeeds in_clone -d "$SCRATCH/dir:/mnt/a\\:b" -d "$SCRATCH/${name//:/\\:}" \
    cat /mnt/a:b/file "$SCRATCH/$name/file"
  expect_output $'host\ndated'
  isolate_refuses neither 'rx' -- isolate -z debian -d "$SCRATCH/dir:/x:rx" true
}

@test "a bind on a dangling link of the root covers the link" {
  local make='ln -sfn ../run/no/such "$ROOTFS/etc/nowhere"; ln -sfn /etc/self "$ROOTFS/etc/self"
    ln -sfn /etc/passwd "$ROOTFS/etc/somewhere"'
  local name
  for name in nowhere self; do
    succeeds with_variables "PRE_SPAWN_HOOK=$make" -- -q -z debian -d "$SCRATCH/dir/file:/etc/$name" \
      sh -c "cat /etc/$name; test ! -e /run/no"
    expect_output host
  done
  succeeds with_variables "PRE_SPAWN_HOOK=$make" -- -q -z debian -d "$SCRATCH/dir:/etc/nowhere" \
    sh -c 'cat /etc/nowhere/file; test ! -e /run/no'
  expect_output host
  isolate_refuses /etc/somewhere -- with_variables "PRE_SPAWN_HOOK=$make" -- -z debian -d "$SCRATCH/dir:/etc/somewhere" true
}

# bats test_tags=once
@test "an impossible bind fails in one line that names the path and the reason" {
  isolate_refuses directory /etc -- isolate -z debian -d "$SCRATCH/dir/file:/etc" true
  isolate_refuses 'would have to be a directory' /etc/passwd -- isolate -z debian -d "$SCRATCH/dir:/etc/passwd" true
  isolate_refuses 'would have to be a directory' '/etc/passwd/x: /etc/passwd is' -- isolate -z debian -d "$SCRATCH/dir/file:/etc/passwd/x" true
  # shellcheck disable=SC2088  # it stays unexpanded in a configuration file or --bind=~/x
  isolate_refuses "'~/" HOME -- isolate -z debian -d '~/x:/x' true
  isolate_refuses 'must begin with' -- isolate -z debian -d "$SCRATCH/dir:relative" true
  isolate_refuses /work -- isolate -z debian -p /work true
}

@test "a path longer than a pipe fails in one line and without a delay" {
  local long
  long=$(head -c 100000 /dev/zero | tr '\0' a)
  fails_plainly 125 isolate 'bind /aaa' 'File name too long' -- timeout -k 1 10 "${CALLER[@]}" "$ISOLATE" --store "$STORE" \
    -q -z debian -d "/$long:/x" true
  fails_plainly 125 isolate 'working directory /aaa' -- timeout -k 1 10 "${CALLER[@]}" "$ISOLATE" --store "$STORE" \
    -q -z debian -p "/$long" true
}
