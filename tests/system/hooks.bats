# variants: user-bwrap root-lxc root-native: each identity and each engine once, as no test depends on the pair
# other variants: root-bwrap user-lxc user-native
# PRE_SPAWN_HOOK and POST_SPAWN_HOOK: shell commands of the caller before and after the command, with the root in
# $ROOTFS.

load helpers

@test "the guest sees what PRE writes to the root, and nobody else does" {
  succeeds with_variables PRE_SPAWN_HOOK='echo "from the hook" >"$ROOTFS/from-hook" && mkdir -p "$ROOTFS/a/b"' -- \
    -q -z debian sh -c 'cat /from-hook; stat -c %u /from-hook; ls -d /a/b'
  expect_output $'from the hook\n0\n/a/b'
  run in_clone cat /from-hook
  [[ $status == 1 ]]
  [[ ! -e /from-hook ]]
}

@test "POST sees what the guest wrote" {
  succeeds with_variables POST_SPAWN_HOOK="cp \"\$ROOTFS/etc/result\" '$SCRATCH/result'" -- -q -z debian \
    sh -c 'echo computed >/etc/result'
  [[ $(cat "$SCRATCH/result") == computed ]]
  [[ $(stat -c %u "$SCRATCH/result") == "$CALLER_UID" ]]
}

@test "hooks run in order, as the caller, with the caller's environment and output" {
  succeeds with_variables OWN=mine PRE_SPAWN_HOOK="echo \"pre \$OWN\"; touch '$SCRATCH/pre'" \
    POST_SPAWN_HOOK="echo \"post \$OWN\"; touch '$SCRATCH/post'" -- -q -z debian echo command
  expect_output $'pre mine\ncommand\npost mine'
  [[ $(stat -c %u "$SCRATCH/pre") == "$CALLER_UID" && $(stat -c %u "$SCRATCH/post") == "$CALLER_UID" ]]
}

@test "a failing PRE hook stops the run with 125, and POST runs all the same" {
  run --separate-stderr with_variables PRE_SPAWN_HOOK='exit 7' POST_SPAWN_HOOK="touch '$SCRATCH/post'" -- -q -z debian \
    echo "the command ran"
  expect_status 125
  expect_output ''
  one_error_line isolate
  expect_in_errors PRE_SPAWN_HOOK
  [[ -e $SCRATCH/post ]]
}

@test "POST runs however the command ended, and the status stays the same" {
  run --separate-stderr with_variables POST_SPAWN_HOOK="touch '$SCRATCH/one'" -- -q -z debian sh -c 'exit 3'
  expect_status 3
  run --separate-stderr with_variables POST_SPAWN_HOOK="touch '$SCRATCH/two'" -- -q -z debian sh -c 'kill -KILL $$'
  expect_status 137
  run -127 --separate-stderr with_variables POST_SPAWN_HOOK="touch '$SCRATCH/three'" -- -q -z debian no-such-command
  [[ -e $SCRATCH/one && -e $SCRATCH/two && -e $SCRATCH/three ]]
}

@test "a failing POST hook is reported, and after a successful command the status is 125" {
  run --separate-stderr with_variables POST_SPAWN_HOOK='exit 9' -- -q -z debian true
  expect_status 125
  expect_in_errors 'isolate: '
  expect_in_errors POST_SPAWN_HOOK
  run --separate-stderr with_variables POST_SPAWN_HOOK='exit 9' -- -q -z debian sh -c 'exit 3'
  expect_status 3
  expect_in_errors 'isolate: warning:'
}

@test "a hook that a signal ends has failed" {
  run --separate-stderr with_variables PRE_SPAWN_HOOK='kill -KILL $$' -- -q -z debian true
  expect_status 125
  one_error_line isolate
}

@test "an empty hook variable means no hook" {
  succeeds with_variables PRE_SPAWN_HOOK= POST_SPAWN_HOOK= -- -q -z debian echo done
  expect_output done
  expect_no_errors
}

@test "hooks see binds, and work with -t and with the chroot engine" {
  local options
  mkdir "$SCRATCH/bound"
  chown "$CALLER_UID" "$SCRATCH/bound"
  for options in '-z debian' "-t $TREE" '-e chroot -z debian' "-e chroot -t $TREE"; do
    # shellcheck disable=SC2086
    succeeds with_variables PRE_SPAWN_HOOK='test -d "$ROOTFS/usr/bin" && echo hook >"$ROOTFS/var/hook-file"' \
      POST_SPAWN_HOOK='rm "$ROOTFS/var/hook-file"; test -e "$ROOTFS/etc/passwd"' -- $options \
      -d "$SCRATCH/bound:/mnt" cat /var/hook-file
    expect_output hook
  done
  [[ ! -e $TREE/var/hook-file ]]
}

@test "hooks have no other descriptors, and leave no process" {
  succeeds with_variables PRE_SPAWN_HOOK='ls /proc/self/fd | tr "\n" " "' -- -q -z debian true
  [[ $output == '0 1 2 3 ' ]] || complain "the hook has other descriptors"
}

@test "with --dry-run no hook runs" {
  succeeds with_variables PRE_SPAWN_HOOK="touch '$SCRATCH/ran'" POST_SPAWN_HOOK="touch '$SCRATCH/ran'" -- --dry-run \
    -z debian true
  [[ ! -e $SCRATCH/ran ]]
}
