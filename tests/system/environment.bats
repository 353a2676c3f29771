# variants: user-bwrap root-lxc root-native: each identity and each engine once, as no test depends on the pair
# other variants: root-bwrap user-lxc user-native root-warm user-warm
# The environment of the command: a short list of variables and those that -v adds, and nothing of the caller's.

load helpers

@test "the command gets only the documented variables" {
  succeeds with_variables SECRET=canary LC_ALL=C DISPLAY=:0 PRE_SPAWN_HOOK=true -- -q -z debian env
  local line
  for line in "${lines[@]}"; do
    case $line in
      PATH=/* | HOME=/root | USER=root | LOGNAME=root | SHELL=/* | TERM=* | LANG=* | container=isolate) ;;
      *) complain "this variable should not be passed: $line" ;;
    esac
  done
  for line in PATH= HOME= USER= LOGNAME= SHELL= TERM= LANG= container=; do expect_in_output "$line"; done
}

@test "the guest does not get the caller's search path and library variables" {
  succeeds with_variables "PATH=$SCRATCH:/usr/bin:/bin:/usr/sbin" LD_LIBRARY_PATH=/canary BASH_ENV=/canary \
    GLIBC_TUNABLES=glibc.malloc.check=0 -- -q -z debian env
  expect_not_in_output "$SCRATCH"
  expect_not_in_output canary
  expect_not_in_output GLIBC_TUNABLES
}

# bats test_tags=once
@test "-v takes NAME:VALUE and NAME=VALUE, and the first : or = ends the name" {
  succeeds in_clone -v A:1:2=3 -v B=1=2:3 -v C: -v D= -v E:=x -v F=:y -v _g9='a b' \
    sh -c 'printf "%s|" "$A" "$B" "${C-unset}" "${D-unset}" "$E" "$F" "$_g9"'
  expect_output '1:2=3|1=2:3|||=x|:y|a b|'
}

# bats test_tags=once
@test "-v can override a default variable, and the last value counts" {
  succeeds in_clone -v HOME=/tmp -v A=1 -v A=2 sh -c 'echo "$HOME $A"; env | grep -c ^HOME='
  expect_output $'/tmp 2\n1'
}

@test "a value may hold line breaks and any byte" {
  succeeds in_clone -v A=$'one\ntwo\t\xff' sh -c 'printf %s "$A" | od -An -tx1 | tr -d " \n"'
  expect_output 6f6e650a74776f09ff
}

@test "the command is looked up in a PATH given with -v" {
  succeeds in_clone -v PATH=/usr/sbin:/usr/bin sh -c 'echo "$PATH"'
  expect_output /usr/sbin:/usr/bin
  run -127 --separate-stderr in_clone -v PATH=/nowhere env
}

@test "control: with plain bwrap a guest can read a secret of the caller in /proc/1/environ" {
  # Shows that the next test can fail.
  succeeds as_caller env SECRET=canary-7316 bwrap --ro-bind / / --unshare-user --unshare-pid --proc /proc --clearenv \
    -- /bin/sh -c 'cat /proc/[0-9]*/environ | tr "\0" "\n"'
  expect_in_output canary-7316
}

@test "no process that the guest sees holds a secret of the caller" {
  local engine
  for engine in "$ENGINE" chroot; do
    run --separate-stderr with_variables SECRET=canary-7316 -- -q -e "$engine" -z debian \
      /bin/sh -c 'env; for i in 1 $$; do cat /proc/$i/environ; cat /proc/$i/cmdline; done 2>/dev/null | tr "\0" "\n"'
    expect_not_in_output canary-7316
    expect_in_output container=isolate
  done
}

@test "isolate's own processes of a guest do not have the caller's secrets in their environment" {
  start env SECRET=canary-7316 "$ISOLATE" --store "$STORE" -q -z debian sleep "$MARK"
  wait_until 10 a_process_with "^sleep $MARK"
  local pid
  for pid in $(processes_with "sleep $MARK"); do
    # The first process can't change the environment with which the caller started it.
    if [[ $pid == "$STARTED_PID" ]]; then continue; fi
    if [[ $(readlink "/proc/$pid/ns/pid") == "$(readlink /proc/self/ns/pid)" ]]; then continue; fi
    refute grep -qa canary-7316 "/proc/$pid/environ"
  done
  kill -TERM "$STARTED_PID"
  wait_until 5 no_process_with "$MARK"
}
