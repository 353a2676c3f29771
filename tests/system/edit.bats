# identities: root user
# isolatectl template edit: changes that succeed become the next generation; others never happened.

load helpers

setup() {
  common_setup
  STORE=$SCRATCH/store
  mkdir -m 0700 "$STORE"
  chown "$CALLER_UID:$CALLER_GID" "$STORE"
  copy_of_tree "$SCRATCH/small"
  rm -rf --one-file-system "$SCRATCH/small/usr/share" "$SCRATCH/small/var/cache" "$SCRATCH/small/var/lib/apt"
  isolatectl template create small --from "$SCRATCH/small"
}

generation() { isolatectl --json template show small | jq .generation; }
edit() { isolatectl template edit small -- "$@"; }
in_small() { isolate -q -z small "$@"; }

@test "exit 0 makes the next generation, which new clones come from" {
  [[ $(generation) == 1 ]]
  run --separate-stderr edit \
    sh -ec 'echo edited >/etc/edited; rm /etc/debian_version; rm -r /opt; mkdir /opt; chown 1000 /srv;
      mkdir -p /home/user'
  expect_status 0
  [[ $(generation) == 2 ]]
  succeeds in_small sh -c 'cat /etc/edited; test ! -e /etc/debian_version && stat -c %u /srv'
  expect_output $'edited\n1000'
}

@test "edits add up" {
  local number
  for number in 1 2 3 4 5; do
    succeeds edit sh -c "echo $number >>/etc/numbers; echo $number >/etc/file-$number; rm -f /etc/file-$((number - 1))"
  done
  [[ $(generation) == 6 ]]
  succeeds in_small sh -c 'cat /etc/numbers; ls -d /etc/file-*'
  expect_output $'1\n2\n3\n4\n5\n/etc/file-5'
}

@test "a failing command changes nothing, and its status is told" {
  fingerprint "$STORE/templates" >"$SCRATCH/before"
  run --separate-stderr edit sh -c 'echo spoilt >/etc/hostname; rm -r /usr/bin; exit 3'
  [[ $status != 0 ]] || complain "expected a failure"
  fingerprint "$STORE/templates" >"$SCRATCH/after"
  cmp "$SCRATCH/before" "$SCRATCH/after"
  [[ $(generation) == 1 ]]
  run --separate-stderr edit sh -c 'echo spoilt >/etc/hostname; kill -KILL $$'
  [[ $status != 0 ]] || complain "expected a failure"
  run -127 --separate-stderr edit no-such-command
  [[ $(generation) == 1 ]]
  store_is_clean "$STORE"
}

@test "a run of the old generation keeps what it has, and gc leaves it that" {
  mkfifo -m 0666 "$SCRATCH/go"
  chown "$CALLER_UID" "$SCRATCH/go"
  start_isolate -q -z small -d "$SCRATCH:/s" sh -c 'touch /s/ready; read x </s/go; cat /etc/hostname; cat /etc/edited'
  wait_until 10 test -e "$SCRATCH/ready"
  succeeds edit sh -c 'echo new >/etc/hostname; echo new >/etc/edited'
  succeeds edit sh -c 'rm /etc/hostname'
  isolatectl gc
  echo >"$SCRATCH/go"
  end_of_started
  [[ $STATUS == 1 ]]
  [[ $(cat "$SCRATCH/out") != new ]]
  succeeds in_small sh -c 'cat /etc/edited; test ! -e /etc/hostname'
  expect_output new
  # What nobody uses any more goes, and the newest stays whole.
  isolatectl gc
  succeeds in_small cat /etc/edited
}

@test "two edits at a time: the second is refused, none is lost" {
  mkfifo -m 0666 "$SCRATCH/go"
  "${CALLER[@]}" "$ISOLATECTL" --store "$STORE" template edit small -- sh -c "echo one >/etc/one; sleep 2; : $MARK" \
    >"$SCRATCH/out" 2>"$SCRATCH/err" </dev/null 3>&- &
  STARTED_PID=$!
  STARTED+=("$STARTED_PID")
  wait_until 10 edit_is_running
  isolatectl_refuses small -- edit sh -c 'echo two >/etc/two'
  end_of_started
  [[ $STATUS == 0 ]]
  succeeds edit sh -c 'echo three >/etc/three'
  succeeds in_small sh -c 'cat /etc/one /etc/three'
  expect_output $'one\nthree'
}
edit_is_running() { a_process_with "^sh -c .*$MARK"; }

@test "an edit that is killed changes nothing" {
  local name
  for name in INT TERM KILL; do
    start "$ISOLATECTL" --store "$STORE" template edit small -- sh -c "echo spoilt >/etc/hostname; sleep 30; : $MARK"
    wait_until 10 edit_is_running
    kill_started "$name"
    [[ $STATUS != 0 ]]
    wait_until 2 no_process_with "$MARK" || complain "still running after SIG$name"
    isolatectl gc
    [[ $(generation) == 1 ]]
    wait_until 2 store_is_clean "$STORE" || complain "left after SIG$name"
  done
  succeeds in_small sh -c '! grep -q spoilt /etc/hostname'
}

@test "an edit has the network and root's rights, and files owned by all ids" {
  succeeds edit sh -ec 'readlink /proc/self/ns/net; test -s /etc/resolv.conf; id -u; touch /f && chown 65535:65535 /f'
  [[ $output == *"$(readlink /proc/self/ns/net)"* ]] || complain "network"
  succeeds in_small stat -c %u:%g /f
  expect_output 65535:65535
}

@test "/home of an edit persists, /tmp does not" {
  succeeds edit sh -ec 'mkdir /home/user; echo kept >/home/user/file; echo lost >/tmp/file'
  succeeds isolate -q -e chroot -t "$TREE" true
  succeeds edit sh -ec 'cat /home/user/file; test ! -e /tmp/file'
  expect_in_output kept
}

@test "what is edited must be there" {
  isolatectl_refuses nosuch -- isolatectl template edit nosuch -- true
}

@test "an edit without a command starts a shell" {
  run --separate-stderr isolatectl template edit small <<<'echo from-the-shell >/etc/edited; exit 0'
  expect_status 0
  succeeds in_small cat /etc/edited
  expect_output from-the-shell
}
