# variants: root-bwrap user-bwrap: the identities differ in ids and mounts, the engine does not matter
# The chroot engine, for maintaining a root. It does not isolate and says so; everything else works as with bwrap.

load helpers

in_chroot() { isolate -q -e chroot -z debian "$@"; }

@test "the chroot engine warns that it does not isolate" {
  succeeds isolate -q -e chroot -z debian true
  [[ ${#stderr_lines[@]} == 1 && $stderr == 'isolate: warning: '*isolat* ]] || complain "warning"
}

@test "the exit status is the command's" {
  run --separate-stderr in_chroot sh -c 'exit 3'
  expect_status 3
  run --separate-stderr in_chroot sh -c 'kill -KILL $$'
  expect_status 137
  run --separate-stderr in_chroot /etc/passwd
  expect_status 126
  run -127 --separate-stderr in_chroot no-such-command
  one_error_line isolate
}

@test "root keeps the host's ids, an ordinary user gets a user namespace" {
  succeeds in_chroot sh -c 'id -u; readlink /proc/self/ns/user; cat /proc/self/uid_map'
  [[ ${lines[0]} == 0 ]] || complain "the id is not 0"
  if [[ $IDENTITY == root ]]; then
    [[ ${lines[1]} == "$(readlink /proc/self/ns/user)" ]] || complain "not the host's user namespace"
  else
    [[ ${lines[1]} != "$(readlink /proc/self/ns/user)" ]] || complain "the host's user namespace"
    [[ ${lines[2]} =~ ^\ *0\ +$CALLER_UID\ +1$ ]] || complain "map"
  fi
}

@test "-u and -g choose the range of ids" {
  local base=$SUBORDINATE_BASE root=(-z debian)
  if [[ $IDENTITY == root ]]; then
    base=700000000
  else
    make_tree_of_range "$SCRATCH/tree"
    root=(-t "$SCRATCH/tree")
  fi
  succeeds isolate -q -e chroot "${root[@]}" -u "$base" -g "$base" \
    sh -c 'cat /proc/self/uid_map /proc/self/gid_map; id -u; touch /x && stat -c %u:%g /x'
  [[ $(tr -s ' \n' ' ' <<<"$output") == " 0 $base 65536 0 $base 65536 0 0:0 " ]] || complain "range"
}

@test "all ids can own files" {
  succeeds in_chroot sh -c '
    for id in 0 1 1000 65534 65535; do touch /f$id; chown $id:$id /f$id; stat -c %u:%g /f$id; done'
  expect_output $'0:0\n1:1\n1000:1000\n65534:65534\n65535:65535'
}

@test "a clone is discarded, and --empty-home keeps /home in memory" {
  succeeds in_chroot --empty-home sh -c 'touch /marker /home/marker; stat -f -c %T /home'
  expect_output tmpfs
  run in_chroot ls /marker /home/marker
  [[ $status != 0 ]]
}

@test "changes with -t persist, also in /home" {
  copy_of_tree "$SCRATCH/tree"
  succeeds isolate -q -e chroot -t "$SCRATCH/tree" \
    sh -c 'echo x >/marker; mkdir -p /home/user; echo y >/home/user/file; chown 1000 /home/user/file'
  [[ $(cat "$SCRATCH/tree/marker" "$SCRATCH/tree/home/user/file") == $'x\ny' ]]
  if [[ $IDENTITY == root ]]; then [[ $(stat -c %u "$SCRATCH/tree/home/user/file") == 1000 ]]; fi
  succeeds isolate -q -e chroot -t "$SCRATCH/tree" cat /home/user/file
  expect_output y
}

@test "/proc, /sys and /dev are mounted" {
  succeeds in_chroot sh -c '
    stat -f -c %T /proc /sys; echo x >/dev/null && head -c 3 /dev/zero | wc -c
    cat /proc/self/comm; ls /sys/class/net | grep -x lo; cat /proc/1/comm'
  expect_output $'proc\nsysfs\n3\ncat\nlo\nisolate-init'
}

@test "the guest uses the host's network" {
  succeeds in_chroot sh -c 'readlink /proc/self/ns/net; cat /etc/resolv.conf'
  [[ ${lines[0]} == "$(readlink /proc/self/ns/net)" ]] || complain "network namespace"
  [[ $output == *"$(cat /etc/resolv.conf)" ]] || complain "resolv.conf"
}

@test "-d, -p, -v and --read-only work" {
  mkdir "$SCRATCH/bound"
  echo host >"$SCRATCH/bound/file"
  chown -R "$CALLER_UID:$CALLER_GID" "$SCRATCH/bound"
  succeeds in_chroot -d "$SCRATCH/bound:/made/here" -d "$SCRATCH/bound/file:/file:ro" -p /made -v A:1 \
    sh -c 'echo "$PWD $A"; cat here/file /file; echo guest >here/new; ! echo x >/file'
  expect_output $'/made 1\nhost\nhost'
  [[ $(cat "$SCRATCH/bound/new") == guest && $(cat "$SCRATCH/bound/file") == host ]]
  [[ $(stat -c %u "$SCRATCH/bound/new") == "$CALLER_UID" ]]
  succeeds in_chroot --read-only sh -c '! touch /x && ! touch /home/x && touch /tmp/x && echo kept'
  expect_output kept
}

@test "the environment is cleared" {
  succeeds with_variables SECRET=canary -- -q -e chroot -z debian env
  expect_not_in_output canary
  expect_in_output container=isolate
  expect_in_output HOME=/root
}

@test "mounts made inside are gone afterwards and never visible outside" {
  local before
  before=$(mounts)
  # shellcheck disable=SC2016
  succeeds in_chroot sh -c 'mkdir -p /m && mount -t tmpfs x /m && grep -c " /m " /proc/self/mountinfo'
  expect_output 1
  no_new_mounts "$before"
}

@test "packages can be installed into a root that persists" {
  cp -a --link "$TREE" "$SCRATCH/tree"
  # dpkg replaces files and never writes into them, so hard links to TREE's files are safe. Only dpkg's own state is
  # copied.
  rm -rf "$SCRATCH/tree/var"
  cp -a "$TREE/var" "$SCRATCH/tree/var"
  succeeds isolate -q -e chroot -t "$SCRATCH/tree" -v DEBIAN_FRONTEND=noninteractive sh -ec '
    apt-get update >/root/log 2>&1 || { cat /root/log; exit 1; }
    apt-get install -y hello >/root/log 2>&1 || { cat /root/log; exit 1; }'
  [[ -x $SCRATCH/tree/usr/bin/hello ]]
  succeeds isolate -q -t "$SCRATCH/tree" hello
  expect_output 'Hello, world!'
}
