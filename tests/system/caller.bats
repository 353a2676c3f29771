# identities: root user
# engines: bwrap lxc
# What a command has of the process that started isolate: the signals that it ignores or blocks, and words and variables
# of any length that Linux takes.

load helpers

# In a shell as the caller, with isolate as "$0": a script and its arguments.
caller_shell() { as_caller sh -c "$1" "$ISOLATE" "${@:2}"; }
is_up() { [[ -e $SCRATCH/up ]]; }

@test "signals that the caller ignores are ignored by the command, and by isolate" {
  local engine
  chmod 0777 "$SCRATCH"
  for engine in "$ENGINE" chroot; do
    # nohup ignores SIGHUP, a shell without job control SIGINT and SIGQUIT of what it starts in the background.
    start nohup "$ISOLATE" --store "$STORE" -q -e "$engine" -z debian -d "$SCRATCH:/d" \
      sh -c 'touch /d/up; sleep 1; echo survived'
    wait_until 15 is_up
    kill -HUP "$STARTED_PID"
    end_of_started
    [[ $STATUS == 0 && $(cat "$SCRATCH/out") == survived ]] || complain "$engine, SIGHUP: $STATUS"
    rm "$SCRATCH/up"
    # shellcheck disable=SC2016  # for the shells below
    start sh -c '"$@" & echo $! >"$0/pid"; wait $!' "$SCRATCH" "$ISOLATE" --store "$STORE" -q -e "$engine" -z debian \
      -d "$SCRATCH:/d" sh -c 'touch /d/up; sleep 1; echo survived'
    wait_until 15 is_up
    kill -INT "$(cat "$SCRATCH/pid")"
    kill -QUIT "$(cat "$SCRATCH/pid")"
    end_of_started
    [[ $STATUS == 0 && $(cat "$SCRATCH/out") == survived ]] || complain "$engine, SIGINT: $STATUS"
    rm "$SCRATCH/up"
  done
}

@test "a signal that is not ignored still ends the command, also beside one that is" {
  start_isolate -q -z debian sleep "$MARK"
  wait_until 10 a_guest_sleeps
  kill_started HUP
  [[ $STATUS == 129 ]] || complain "$STATUS"
  start nohup "$ISOLATE" --store "$STORE" -q -z debian sleep "$MARK"
  wait_until 10 a_guest_sleeps
  kill_started TERM
  [[ $STATUS == 143 ]] || complain "$STATUS"
}

@test "the command has the caller's ignored and blocked signals, and no others of isolate's" {
  local engine words
  for engine in "$ENGINE" chroot; do
    words=(-q --store "$STORE" -e "$engine" -z debian grep -E '^Sig(Blk|Ign):' /proc/self/status)
    succeeds caller_shell 'exec "$0" "$@"' "${words[@]}"
    expect_output $'SigBlk:\t0000000000000000\nSigIgn:\t0000000000000000'
    # As env hands them down: HUP 1, INT 2, PIPE 13, CHLD 17, TTOU 22; USR1 10, TERM 15.
    succeeds as_caller env --ignore-signal=HUP,INT,PIPE,CHLD,TTOU --block-signal=USR1,TERM "$ISOLATE" "${words[@]}"
    expect_output $'SigBlk:\t0000000000004200\nSigIgn:\t0000000000211003'
    succeeds as_caller env --ignore-signal=HUP,INT,PIPE,CHLD,TTOU --block-signal=USR1,TERM "$ISOLATE" --pty "${words[@]}"
    expect_in_output 'SigIgn:	0000000000211003'
  done
}

@test "a signal that the caller blocks waits for the command" {
  chmod 0777 "$SCRATCH"
  start env --block-signal=TERM "$ISOLATE" --store "$STORE" -q -z debian -d "$SCRATCH:/d" \
    bash -c 'touch /d/up; sleep 1; grep SigBlk /proc/self/status; grep ShdPnd /proc/$$/status'
  wait_until 10 is_up
  kill -TERM "$STARTED_PID"
  end_of_started
  [[ $STATUS == 0 && $(cat "$SCRATCH/out") == *SigBlk:*4000*ShdPnd:*4000* ]] || complain "$STATUS, $(cat "$SCRATCH/out")"
}

@test "a further command has the signals of the isolatectl that asked for it" {
  start_isolate -q -z debian sh -c "echo up; exec sleep $MARK"
  wait_until 15 grep -qx up "$SCRATCH/out"
  local clone
  clone=$(isolatectl --json ps | jq -r '.[0].clone')
  succeeds as_caller env --ignore-signal=HUP,USR2 --block-signal=USR1 "$ISOLATECTL" --store "$STORE" exec "$clone" \
    grep -E '^Sig(Blk|Ign):' /proc/self/status
  expect_output $'SigBlk:\t0000000000000200\nSigIgn:\t0000000000000801'
  kill_started TERM
}

@test "hooks ignore what the caller ignores" {
  run with_variables PRE_SPAWN_HOOK='grep ^SigIgn /proc/self/status' -- -q -z debian true
  expect_output $'SigIgn:\t0000000000000000'
  succeeds as_caller env --ignore-signal=HUP PRE_SPAWN_HOOK='grep ^SigIgn /proc/self/status' "$ISOLATE" \
    --store "$STORE" -q -z debian true
  expect_output $'SigIgn:\t0000000000000001'
}

@test "an edit of a template ignores what the caller ignores" {
  [[ $ENGINE == bwrap ]] || return 0
  isolatectl template create hangup --from "$TREE-small"
  start nohup "$ISOLATECTL" --store "$STORE" template edit hangup -- sh -c "echo >/edited; echo up; sleep 1"
  wait_until 15 grep -qx up "$SCRATCH/out"
  kill -HUP "$STARTED_PID"
  end_of_started
  [[ $STATUS == 0 ]] || complain "$STATUS"
  succeeds isolate -q -z hangup test -e /edited
  isolatectl template remove hangup
}

# --- words and variables ----------------------------------------------------------------------------------------------

@test "20000 words, and one of 128 KiB" {
  local engine word
  word=$(head -c 131071 /dev/zero | tr '\0' x)
  for engine in "$ENGINE" chroot; do
    # shellcheck disable=SC2046
    succeeds isolate -q -e "$engine" -z debian sh -c 'echo $#' x $(seq 1 20000)
    expect_output 20000
    succeeds isolate -q -e "$engine" -z debian sh -c 'echo ${#1} ${#2}' x "$word" ''
    expect_output '131071 0'
    # shellcheck disable=SC2046
    succeeds isolate -q -e "$engine" -z debian sh -c 'echo $#' x $(seq 1000000 1000180) "$word" "$word" "$word" "$word" \
      "$word" "$word" "$word" "$word" "$word" "$word" "$word" "$word" "$word" "$word"
    expect_output 195
    succeeds isolate -q -e "$engine" -v "LONG=${word:5}" -z debian sh -c 'echo ${#LONG}'
    expect_output 131066
  done
}

@test "the command's words are on no other command line" {
  start_isolate -q -z debian sh -c "sleep $MARK; : word-$MARK"
  wait_until 10 a_guest_sleeps
  # isolate itself, as the caller wrote it, and the command.
  run pgrep --full --list-full "word-$MARK"
  refute grep -E 'bwrap|isolate-init|isolate-lxc' <<<"$output"
  kill_started TERM
}

@test "words and variables that Linux does not take are told in one line" {
  local engine
  for engine in "$ENGINE" chroot; do
    # shellcheck disable=SC2016,SC2046
    fails_plainly 126 isolate true 'too long' -- caller_shell 'exec "$0" --ulimit stack=1048576 "$@"' -q --store "$STORE" \
      -e "$engine" -z debian true $(seq 1000000 1050000)
  done
}

@test "isolatectl exec takes what execve takes" {
  local clone word
  start_isolate -q -z debian sh -c "echo up; exec sleep $MARK"
  wait_until 15 grep -qx up "$SCRATCH/out"
  clone=$(isolatectl --json ps | jq -r '.[0].clone')
  word=$(head -c 131071 /dev/zero | tr '\0' x)
  # shellcheck disable=SC2046
  succeeds isolatectl exec "$clone" sh -c 'echo $# ${#1}' x "$word" $(seq 1 100000)
  expect_output '100001 131071'
  succeeds isolatectl exec -v "LONG=${word:5}" "$clone" sh -c 'echo ${#LONG}'
  expect_output 131066
  kill_started TERM
}
