# variants: user-bwrap root-lxc root-native: each identity and each engine once, as no test depends on the pair
# other variants: root-bwrap user-lxc user-native
# Template mode: -t runs on a directory itself, and changes persist.

load helpers

setup() {
  common_setup
  copy_of_tree "$SCRATCH/tree"
}

# Prints the id on disk of a number inside, for the identity.
on_disk() {
  if [[ $IDENTITY == root ]]; then
    echo "$1"
  elif [[ $1 == 0 ]]; then
    echo "$CALLER_UID"
  else
    echo $((SUBORDINATE_BASE + $1 - 1))
  fi
}

@test "changes persist, with owners on disk as documented" {
  succeeds isolate -q -t "$SCRATCH/tree" sh -ec '
    mkdir /made; cd /made
    for id in 0 1 33 1000 65534 65535; do echo $id >$id; chown $id:$id $id; done
    echo more >>/made/0; rm /etc/debian_version'
  local id
  for id in 0 1 33 1000 65534 65535; do
    [[ $(stat -c %u "$SCRATCH/tree/made/$id") == "$(on_disk "$id")" ]]
  done
  [[ ! -e $SCRATCH/tree/etc/debian_version ]]
  succeeds isolate -q -t "$SCRATCH/tree" sh -c 'cat /made/0; stat -c %u:%g /made/*'
  expect_output $'0\nmore\n0:0\n1:1\n1000:1000\n33:33\n65534:65534\n65535:65535'
}

@test "files of the template have the same owners inside as in Debian" {
  succeeds isolate -q -t "$SCRATCH/tree" stat -c '%U:%G %a' /etc/shadow /var/mail /usr/bin/passwd /tmp /root
  [[ ${lines[0]} == 'root:shadow 640' && ${lines[1]} == 'root:mail 2775' && ${lines[2]} == 'root:root 4755' ]] ||
    complain "owners"
}

@test "changes below /home persist, also in an existing directory, and /tmp is in memory" {
  as_caller mkdir "$SCRATCH/tree/home/user"
  succeeds isolate -q -t "$SCRATCH/tree" sh -c 'touch /home/x /home/user/x /tmp/x'
  [[ -e $SCRATCH/tree/home/x && -e $SCRATCH/tree/home/user/x && ! -e $SCRATCH/tree/tmp/x ]]
}

@test "--empty-home hides the directory's /home, and nothing written there persists" {
  as_caller mkdir "$SCRATCH/tree/home/user"
  succeeds isolate -q --empty-home -t "$SCRATCH/tree" sh -c 'ls -A /home; touch /home/x'
  expect_output ''
  [[ ! -e $SCRATCH/tree/home/x && -d $SCRATCH/tree/home/user ]]
}

@test "a relative path, a link to the directory and a trailing slash mean the same directory" {
  cd "$SCRATCH"
  ln -s tree link
  local path
  for path in tree ./tree/ "$SCRATCH/link" link/ tree/usr/..; do
    succeeds isolate -q -t "$path" sh -c 'id -u'
    expect_output 0
  done
}

@test "isolate itself leaves nothing in the directory" {
  (cd "$SCRATCH/tree" && find . | sort) >"$SCRATCH/before"
  succeeds isolate -q -t "$SCRATCH/tree" -d "$SCRATCH:/tmp/bound" -n true
  (cd "$SCRATCH/tree" && find . | sort) >"$SCRATCH/after"
  diff "$SCRATCH/before" "$SCRATCH/after"
}

@test "--read-only writes nothing to the directory" {
  fingerprint "$SCRATCH/tree" >"$SCRATCH/before"
  succeeds isolate -q --read-only -t "$SCRATCH/tree" \
    sh -c '! touch /x && ! rm /etc/passwd && cat /etc/hostname /etc/passwd >/dev/null'
  fingerprint "$SCRATCH/tree" >"$SCRATCH/after"
  cmp "$SCRATCH/before" "$SCRATCH/after"
}

@test "two runs on one directory share it" {
  mkfifo -m 0666 "$SCRATCH/go"
  chown "$CALLER_UID" "$SCRATCH/go"
  start_isolate -q -t "$SCRATCH/tree" -d "$SCRATCH:/tmp/s" \
    sh -c 'touch /tmp/s/ready; read x </tmp/s/go; cat /from-the-other'
  wait_until 10 test -e "$SCRATCH/ready"
  succeeds isolate -q -t "$SCRATCH/tree" sh -c 'echo other >/from-the-other'
  echo >"$SCRATCH/go"
  end_of_started
  [[ $STATUS == 0 && $(cat "$SCRATCH/out") == other ]]
}

@test "in a directory that is no root the command is not found" {
  mkdir "$SCRATCH/empty"
  chown "$CALLER_UID:$CALLER_GID" "$SCRATCH/empty"
  run -127 --separate-stderr isolate -q -t "$SCRATCH/empty" true
  one_error_line isolate
}
