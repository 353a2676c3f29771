# variants: user-bwrap root-lxc: each identity and each engine once; nothing here hangs on a pair of them
# other variants: root-bwrap user-lxc
# The environment of the command: a short list and what -v adds; nothing of the caller's.

load helpers

@test "only the documented variables are there" {
  succeeds with_variables SECRET=canary LC_ALL=C DISPLAY=:0 PRE_SPAWN_HOOK=true -- -q -z debian env
  local line
  for line in "${lines[@]}"; do
    case $line in
      PATH=/* | HOME=/root | USER=root | LOGNAME=root | SHELL=/* | TERM=* | LANG=* | container=isolate) ;;
      *) complain "not a variable to be passed: $line" ;;
    esac
  done
  for line in PATH= HOME= USER= LOGNAME= SHELL= TERM= LANG= container=; do expect_in_output "$line"; done
}

@test "the caller's search path and libraries are not the guest's" {
  succeeds with_variables "PATH=$SCRATCH:/usr/bin:/bin:/usr/sbin" LD_LIBRARY_PATH=/canary BASH_ENV=/canary \
    GLIBC_TUNABLES=glibc.malloc.check=0 -- -q -z debian env
  expect_not_in_output "$SCRATCH"
  expect_not_in_output canary
  expect_not_in_output GLIBC_TUNABLES
}

# bats test_tags=once
@test "-v takes NAME:VALUE and NAME=VALUE; the first of both ends the name" {
  succeeds in_clone -v A:1:2=3 -v B=1=2:3 -v C: -v D= -v E:=x -v F=:y -v _g9='a b' \
    sh -c 'printf "%s|" "$A" "$B" "${C-unset}" "${D-unset}" "$E" "$F" "$_g9"'
  expect_output '1:2=3|1=2:3|||=x|:y|a b|'
}

# bats test_tags=once
@test "-v can set what is set anyway, and the last one counts" {
  succeeds in_clone -v HOME=/tmp -v A=1 -v A=2 sh -c 'echo "$HOME $A"; env | grep -c ^HOME='
  expect_output $'/tmp 2\n1'
}

@test "a value may hold line breaks and any byte" {
  succeeds in_clone -v A=$'one\ntwo\t\xff' sh -c 'printf %s "$A" | od -An -tx1 | tr -d " \n"'
  expect_output 6f6e650a74776f09ff
}

@test "a PATH given with -v is where the command is looked for" {
  succeeds in_clone -v PATH=/usr/sbin:/usr/bin sh -c 'echo "$PATH"'
  expect_output /usr/sbin:/usr/bin
  run -127 --separate-stderr in_clone -v PATH=/nowhere env
}

@test "with plain bwrap a secret of the caller can be read in /proc/1/environ" {
  # Shows that the next test can fail.
  succeeds as_caller env SECRET=canary-7316 bwrap --ro-bind / / --unshare-user --unshare-pid --proc /proc --clearenv \
    -- /bin/sh -c 'cat /proc/[0-9]*/environ | tr "\0" "\n"'
  expect_in_output canary-7316
}

@test "a secret of the caller is in no process that the guest sees" {
  local engine
  for engine in "$ENGINE" chroot; do
    run --separate-stderr with_variables SECRET=canary-7316 -- -q -e "$engine" -z debian \
      /bin/sh -c 'env; for i in 1 $$; do cat /proc/$i/environ; cat /proc/$i/cmdline; done 2>/dev/null | tr "\0" "\n"'
    expect_not_in_output canary-7316
    expect_in_output container=isolate
  done
}

@test "secrets are in no environment of our own guest-side processes on the host either" {
  start env SECRET=canary-7316 "$ISOLATE" --store "$STORE" -q -z debian sleep "$MARK"
  wait_until 10 a_process_with "^sleep $MARK"
  local pid
  for pid in $(processes_with "sleep $MARK"); do
    # The first process, which the caller started, cannot change what it was started with.
    if [[ $pid == "$STARTED_PID" ]]; then continue; fi
    if [[ $(readlink "/proc/$pid/ns/pid") == "$(readlink /proc/self/ns/pid)" ]]; then continue; fi
    refute grep -qa canary-7316 "/proc/$pid/environ"
  done
  kill -TERM "$STARTED_PID"
  wait_until 5 no_process_with "$MARK"
}
