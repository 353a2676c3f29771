# variants: root-bwrap user-bwrap: the identities differ in ids and mounts, the engine does not matter
# takes long
# isolatectl template edit: a successful edit becomes the next generation. Changes of a failed one are kept apart, and
# never published in part.

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

@test "a command that exits with 0 makes the next generation, which new clones use" {
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

@test "isolatectl opens nothing in place of a descriptor that the caller closed" {
  local inside='@l = map { readlink("/proc/self/fd/$_") } 0 .. 2; open(F, ">/links"); print F "$_\n" for @l'
  local closed number
  for closed in '0<&-' '1>&-' '2>&-' '0<&- 1>&- 2>&-'; do
    eval "edit perl -e '$inside' $closed" || complain "status $? with $closed"
    succeeds in_small cat /links
    for number in 0 1 2; do
      [[ $closed != *"$number"* || ${lines[number]} == /dev/null ]] || complain "$number with $closed: $output"
    done
  done
}

drafts() { isolatectl --json ps --kept | jq 'map(select(.draft)) | length'; }

@test "a failing command changes nothing, its changes are kept, and the message says how to continue" {
  fingerprint "$STORE/templates" >"$SCRATCH/before"
  run -3 --separate-stderr edit sh -c 'echo spoilt >/etc/hostname; rm -r /usr/bin; exit 3'
  expect_in_errors 'status 3'
  expect_in_errors 'template edit small --continue'
  expect_in_errors --publish
  expect_in_errors --discard
  fingerprint "$STORE/templates" >"$SCRATCH/after"
  cmp "$SCRATCH/before" "$SCRATCH/after"
  [[ $(generation) == 1 && $(drafts) == 1 ]]
  succeeds isolatectl template edit small --discard
  [[ $(generation) == 1 && $(drafts) == 0 ]]
  store_gets_clean
  run --separate-stderr edit sh -c 'echo spoilt >/etc/hostname; kill -KILL $$'
  [[ $status != 0 ]] || complain "expected a failure"
  [[ $(generation) == 1 && $(drafts) == 1 ]]
  succeeds isolatectl template edit small --discard
  succeeds in_small sh -c '! grep -q spoilt /etc/hostname'
}

@test "a failing command that has written nothing leaves nothing" {
  run -127 --separate-stderr edit no-such-command
  run -1 --separate-stderr edit false
  [[ $(generation) == 1 && $(drafts) == 0 ]]
  store_gets_clean
}

@test "--continue resumes an unfinished edit, and --publish makes it a generation as it is" {
  run -1 --separate-stderr edit sh -c 'echo first >/etc/edited; chown 1000 /etc/edited; false'
  run -1 --separate-stderr isolatectl template edit small --continue -- sh -c 'cat /etc/edited; echo more >>/etc/edited; false'
  expect_output first
  [[ $(generation) == 1 && $(drafts) == 1 ]]
  succeeds isolatectl template edit small --continue -- sh -c 'echo last >>/etc/edited'
  [[ $(generation) == 2 && $(drafts) == 0 ]]
  succeeds in_small sh -c 'cat /etc/edited; stat -c %u /etc/edited'
  expect_output $'first\nmore\nlast\n1000'
  run -1 --separate-stderr edit sh -c 'echo as-it-is >/etc/edited; false'
  succeeds isolatectl template edit small --publish
  [[ $(generation) == 3 && $(drafts) == 0 ]]
  succeeds in_small cat /etc/edited
  expect_output as-it-is
}

@test "another edit, gc and the removal of the template do not lose unpublished changes" {
  run -1 --separate-stderr edit sh -c 'echo work >/etc/edited; false'
  isolatectl_refuses unpublished --continue --discard -- edit true
  isolatectl_refuses unpublished -- isolatectl template snapshot small
  isolatectl_refuses unpublished -- isolatectl template remove small
  succeeds isolatectl gc --kept
  expect_in_errors unpublished
  succeeds in_small sh -c 'test ! -e /etc/edited'
  [[ $(drafts) == 1 ]]
  succeeds isolatectl template edit small --publish
  succeeds in_small cat /etc/edited
  expect_output work
  isolatectl_refuses 'no unpublished' -- isolatectl template edit small --continue -- true
  isolatectl_refuses 'no unpublished' -- isolatectl template edit small --discard
  isolatectl_refuses 'no unpublished' -- isolatectl template edit small --publish
  isolatectl_refuses -- isolatectl template edit small --publish --discard
  isolatectl_refuses command -- isolatectl template edit small --discard -- true
}

@test "a run of the old generation keeps its files, even after gc" {
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
  # gc removes generations that nobody uses any more. The newest stays complete.
  isolatectl gc
  succeeds in_small cat /etc/edited
}

@test "a second edit at the same time is refused, and neither is lost" {
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

@test "an edit that is killed changes nothing, and can be continued" {
  local name
  for name in INT TERM HUP KILL; do
    start "$ISOLATECTL" --store "$STORE" template edit small -- sh -c "echo $name >/etc/hostname; sleep 30; : $MARK"
    wait_until 10 edit_is_running
    wait_until 5 a_guest_writes "$name"
    kill_started "$name"
    [[ $STATUS != 0 ]]
    wait_until 2 no_process_with "$MARK" || complain "still running after SIG$name"
    isolatectl gc
    [[ $(generation) == 1 && $(drafts) == 1 ]] || complain "after SIG$name"
    succeeds isolatectl template edit small --continue -- sh -c 'cat /etc/hostname; exit 0'
    [[ $(generation) == 2 && ${lines[-1]} == "$name" ]] || complain "after SIG$name"
    isolatectl template remove small
    isolatectl template create small --from "$SCRATCH/small"
  done
  succeeds in_small sh -c '! grep -q KILL /etc/hostname'
}
a_guest_writes() { [[ $(cat "$STORE"/clones/*/upper/etc/hostname 2>/dev/null) == "$1" ]]; }

# shell_on_terminal STEP...: an edit without a command, on a terminal.
shell_on_terminal() {
  run --separate-stderr as_caller /usr/bin/python3 -I -S "$BATS_TEST_DIRNAME/terminal.py" "$@" -- \
    "$ISOLATECTL" --store "$STORE" template edit small
  [[ $status == 0 ]] || complain "terminal.py $*"
}

@test "when an edit's shell ends, its user is asked, whatever the last command was" {
  local answer
  for answer in '' y; do
    shell_on_terminal 'wait:[edit small]' "type:echo $answer >>/etc/edited; false\\r" 'wait:[edit small]' 'type:exit\r' \
      wait:'[Y/n/later]' "type:$answer\\r" 'wait:is now at generation'
    expect_in_errors 'ended: status 0'
  done
  [[ $(generation) == 3 ]]
  succeeds in_small cat /etc/edited
  expect_output $'\ny'
}

@test "the user can drop a shell's changes or keep them for later" {
  shell_on_terminal 'wait:[edit small]' 'type:echo x >/etc/edited; exit\r' 'wait:[Y/n/later]' 'type:n\r' wait:unchanged
  [[ $(generation) == 1 && $(drafts) == 0 ]]
  shell_on_terminal 'wait:[edit small]' 'type:echo x >/etc/edited; exit\r' 'wait:[Y/n/later]' 'type:what\r' \
    'wait:[Y/n/later]' 'type:later\r' wait:--continue
  [[ $(generation) == 1 && $(drafts) == 1 ]]
  succeeds isolatectl template edit small --discard
  # An interrupt key or a closed terminal is no answer.
  shell_on_terminal 'wait:[edit small]' 'type:echo x >/etc/edited; exit\r' 'wait:[Y/n/later]' 'type:\x03' wait:--continue
  [[ $(generation) == 1 && $(drafts) == 1 ]]
  succeeds isolatectl template edit small --discard
}

@test "a shell whose terminal is closed leaves its changes" {
  run --separate-stderr as_caller /usr/bin/python3 -I -S "$BATS_TEST_DIRNAME/terminal.py" 'wait:[edit small]' \
    'type:echo work >/etc/edited; echo re""ady\r' wait:ready hangup -- "$ISOLATECTL" --store "$STORE" template edit small
  wait_until 5 draft_is_there || complain "no draft"
  [[ $(generation) == 1 ]]
  succeeds isolatectl template edit small --publish
  succeeds in_small cat /etc/edited
  expect_output work
}
draft_is_there() { isolatectl gc && [[ $(drafts) == 1 ]]; }

@test "after a shell that has written nothing the user is not asked" {
  shell_on_terminal 'wait:[edit small]' 'type:unset HISTFILE; false\r' 'wait:[edit small]' 'type:exit\r' wait:nothing
  [[ $(generation) == 1 && $(drafts) == 0 ]]
}

@test "the prompt names the template, even if the root sets its own prompt or has only sh" {
  shell_on_terminal 'wait:[edit small]' 'type:. /etc/bash.bashrc; echo re""ady\r' wait:ready 'wait:[edit small]' \
    'type:bash\r' 'wait:[edit small]' 'type:exit\r' 'wait:[edit small]' 'type:rm -f /bin/bash /usr/bin/bash; exit\r' \
    'wait:[Y/n/later]' 'type:y\r' 'wait:generation 2'
  shell_on_terminal 'wait:[edit small]' 'type:exit\r' wait:nothing
}

@test "an edit has the network, root's rights and files of all ids" {
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

@test "editing a missing template is refused" {
  isolatectl_refuses nosuch -- isolatectl template edit nosuch -- true
}

@test "an edit without a command starts a shell" {
  run --separate-stderr isolatectl template edit small <<<'echo from-the-shell >/etc/edited; exit 0'
  expect_status 0
  succeeds in_small cat /etc/edited
  expect_output from-the-shell
}
