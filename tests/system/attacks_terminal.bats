# variants: root-bwrap user-lxc user-native: each identity and each engine once, as no test depends on the pair
# other variants: user-bwrap root-lxc root-native
# Everything that a user does on a terminal works, and no guest leaves the terminal broken or sees another one. With
# --pty the same holds on a terminal of the guest's own.

load helpers
load attacks

setup_file() { place_attacks; }
teardown_file() { remove_attacks; }

# --- T6: other terminals ----------------------------------------------------------------------------------------------

# Opens another terminal of the same user and puts its name into OTHER.
start_other_terminal() {
  start /usr/bin/python3 -I -c '
import os, sys, time
# Use a number other than that of the terminal of the guest.
terminals = [os.openpty() for _ in range(5)]
slave = terminals[-1][1]
with open(sys.argv[1] + ".new", "w") as file: file.write(os.ttyname(slave))
os.rename(sys.argv[1] + ".new", sys.argv[1])
time.sleep(60)' "$SCRATCH/name"
  wait_until 10 test -s "$SCRATCH/name"
  OTHER=$(cat "$SCRATCH/name")
}

@test "T6 control: another terminal of the caller opens if the host's devpts is visible" {
  start_other_terminal
  run as_caller bwrap --ro-bind / / --dev-bind /dev /dev -- "$ATTACKS/attack" open "$OTHER"
  expect_in_output succeeded
}

@test "T6: a guest can't open another terminal, and has its own devpts" {
  start_other_terminal
  local options
  for options in '' '--pty' '-e chroot'; do
    # shellcheck disable=SC2086
    isolate_on_terminal $options -- -- sh -c "/mnt/attack open $OTHER; /mnt/attack foreign-terminal; ls /dev/pts"
    expect_not_in_output succeeded
    expect_in_output refused
    refute grep -qE '^[1-9]' <<<"$output"
  done
}

@test "T6: a bind of the host's terminals gives the guest none of them" {
  start_other_terminal
  local where option
  for where in /dev/pts /mnt2 /opt/pts; do
    run --separate-stderr with_attacks -d "/dev/pts:$where" /mnt/attack open "$where/${OTHER##*/}"
    [[ $status != 0 ]] || complain "opened through a bind on $where"
    expect_not_in_output succeeded
  done
  for option in /dev /dev/pts/ptmx /dev/ptmx; do
    run --separate-stderr with_attacks -d "$option:/opt/bound" sh -c "/mnt/attack open /opt/bound/pts/${OTHER##*/}
      /mnt/attack open /opt/bound/${OTHER##*/}; true"
    expect_not_in_output succeeded
  done
}

# --- T7: what a user does on a terminal -------------------------------------------------------------------------------

# Runs a check on the caller's own terminal, on a terminal of the guest's own, and with the chroot engine.
for_each_kind() {
  local options
  for options in '' '--pty' '-e chroot'; do
    KIND=$options
    # shellcheck disable=SC2086
    "$@" $options
  done
}

interrupt() {
  isolate_on_terminal "$@" -- wait:ready 'type:\x03' -- sh -c "echo ready; exec sleep $MARK"
  terminal_fact 'ended: status 130'
  terminal_fact 'modes: as before'
  nothing_was_typed_for_us
  # bash drops the signal if the foreground program that it waits for ends successfully at the same moment, so use wait.
  isolate_on_terminal "$@" -- wait:ready 'type:\x03' wait:caught -- \
    bash -c "trap 'echo caught; exit 9' INT; echo ready; sleep $MARK & wait"
  terminal_fact 'ended: status 9'
}
@test "T7: Ctrl-C ends the command, or reaches its handler" { for_each_kind interrupt; }

quit() {
  isolate_on_terminal "$@" -- wait:ready 'type:\x1c' -- sh -c "ulimit -c 0; echo ready; exec sleep $MARK"
  terminal_fact 'ended: status 131'
}
@test "T7: Ctrl-backslash ends the command with SIGQUIT" { for_each_kind quit; }

stop_and_go_on() {
  # While the command is stopped, the shell has its terminal back in the previous state. Then the command continues.
  isolate_on_terminal "$@" -- wait:ready 'type:\x1a' stopped modes fg sleep:0.2 'type:\r' wait:went-on -- \
    sh -c 'echo ready; read -r x; echo went-on'
  terminal_fact 'ended: status 0'
  terminal_fact 'now: cooked echo'
  terminal_fact 'modes: as before'
}
@test "T7: Ctrl-Z stops isolate together with the command, and fg continues both" { for_each_kind stop_and_go_on; }

outer_shell() {
  words_of_isolate "$@"
  on_terminal 'wait:HOST> ' "type:${ISOLATE_WORDS[*]} sh -c 'echo re\"\"ady; read -r x; echo we\"\"nt-on'\\r" \
    wait:ready 'type:\x1a' wait:Stopped 'wait:HOST> ' 'type:jobs\r' wait:Stopped 'wait:HOST> ' \
    'type:fg\r' wait:isolate sleep:0.2 'type:x\r' wait:went-on 'wait:HOST> ' 'type:echo status $?\r' 'wait:status 0' \
    'wait:HOST> ' 'type:exit\r' -- \
    env PS1='HOST> ' bash --norc --noprofile -i
}
@test "T7: Ctrl-Z and fg work in an interactive shell of the host" { for_each_kind outer_shell; }

background() {
  words_of_isolate "$@"
  on_terminal 'wait:HOST> ' "type:${ISOLATE_WORDS[*]} sh -c 'sleep 0.2; echo fini\"\"shed' &\\r" wait:finished \
    'type:wait; echo status $?\r' 'wait:status 0' 'wait:HOST> ' 'type:exit\r' -- \
    env PS1='HOST> ' bash --norc --noprofile -i
}
# Not with --pty or lxc. They read what is typed, so they are stopped in the background like any such program.
@test "T7: isolate runs in the background of a shell" {
  if [[ $ENGINE != lxc ]]; then background; fi
  background -e chroot
}

resize() {
  isolate_on_terminal "$@" -- wait:ready resize:50x100 'wait:50 100' resize:20x60 'wait:20 60' 'type:\x03' -- \
    perl -e '$| = 1; $SIG{WINCH} = sub { print `stty size` }; $SIG{INT} = sub { exit 0 };
      print "ready\n"; sleep 1 while 1'
  terminal_fact 'ended: status 0'
}
@test "T7: the guest learns of a new window size" { for_each_kind resize; }

terminal_settings() {
  isolate_on_terminal "$@" -- -- sh -ec 'stty size; stty -echo; stty echo; stty -a | grep -o " icanon"
    stty raw; stty sane; test -t 0 && test -t 1 && test -t 2; echo all-work'
  expect_in_output '24 80'
  expect_in_output ' icanon'
  expect_in_output all-work
  terminal_fact 'ended: status 0'
}
@test "T7: stty can read and set the terminal" { for_each_kind terminal_settings; }

requests() {
  # There is no such descriptor, so the kernel answers EBADF if the filter lets the request through.
  isolate_on_terminal "$@" -- -- sh -c 'for number in 0x5401 0x5402 0x5403 0x5404 0x540e 0x540f 0x5410 0x5413 0x5414 \
    0x5422 0x5429 0x541b 0x540b; do /mnt/attack ioctl plain -1 $number; done'
  [[ $(grep -c EBADF <<<"$output") == 13 ]] || complain "expected EBADF for each of 13 requests"
}
@test "T7: the filter allows all other terminal requests" { for_each_kind requests; }

@test "T7: with --pty, tty prints a name that can be opened" {
  isolate_on_terminal --pty -- -- sh -c 'tty; echo wri""tten >"$(tty)"'
  expect_in_output /dev/pts/0
  expect_in_output written
}

controlling_terminal() {
  isolate_on_terminal "$@" -- wait:ready 'type:typed\r' 'wait:got typed' -- \
    sh -c 'echo ready >/dev/tty; read -r x </dev/tty; echo "got $x"'
  terminal_fact 'ended: status 0'
}
@test "T7: /dev/tty can be read and written" { for_each_kind controlling_terminal; }

@test "T7: tty prints a name for the caller's own terminal as well" {
  isolate_on_terminal -- -- sh -c 'tty && test -c "$(tty)" && echo it-ex""ists'
  expect_in_output it-exists
}

job_control() {
  isolate_on_terminal "$@" -- 'wait:GUEST> ' "type:sleep $MARK &\\r" 'wait:GUEST> ' 'type:jobs\r' wait:Running \
    'wait:GUEST> ' 'type:fg\r' 'wait:sleep' sleep:0.2 'type:\x1a' wait:Stopped 'wait:GUEST> ' 'type:bg\r' \
    'wait:GUEST> ' 'type:kill %1; wait %1; echo do""ne $?\r' 'wait:done 143' 'wait:GUEST> ' \
    "type:sleep $MARK\\r" sleep:0.3 'type:\x03' 'wait:GUEST> ' 'type:echo sta""tus $?\r' \
    'wait:status 130' 'wait:GUEST> ' 'type:exit 7\r' -- \
    env PS1='GUEST> ' bash --norc --noprofile -i
  terminal_fact 'ended: status 7'
  terminal_fact 'modes: as before'
  expect_not_in_output 'no job control'
  expect_not_in_output 'cannot set terminal process group'
}
@test "T7: an interactive shell in the guest has job control" { for_each_kind job_control; }

pager() {
  isolate_on_terminal "$@" -- wait:More 'type: ' wait:44 'type:q' -- sh -c 'seq 1 100 | more; echo after'
  expect_in_output after
}
@test "T7: a pager reads keys" { for_each_kind pager; }

end_of_input() {
  isolate_on_terminal "$@" -- 'wait:ready' 'type:one\rtwo\r\x04' 'wait:2 lines' -- \
    sh -c 'echo ready; echo "$(wc -l) lines"'
  terminal_fact 'ended: status 0'
}
@test "T7: Ctrl-D ends the input" { for_each_kind end_of_input; }

hangup() {
  isolate_on_terminal "$@" -- wait:ready hangup -- sh -c "echo ready; sleep $MARK"
  wait_until 3 no_process_with "$MARK" || complain "the guest survives its terminal, with '$KIND'"
}
@test "T7: the guest ends when its terminal is closed" { for_each_kind hangup; }

@test "T7: large output is complete, on the caller's terminal and on the guest's own" {
  local options
  for options in '' '--pty'; do
    # shellcheck disable=SC2086
    isolate_on_terminal $options -- -- seq 1 20000
    [[ $(tail -n 1 <<<"$output") == 20000 && $(wc -l <<<"$output") == 20000 ]] || complain "with '$options'"
  done
}

@test "T7: --pty without a terminal works or says why not" {
  run --separate-stderr with_attacks --pty sh -c 'echo out; echo err >&2; exit 4' </dev/null
  if [[ $status == 125 ]]; then
    one_error_line isolate
  else
    expect_status 4
  fi
}

# --- T13: a guest without a terminal ----------------------------------------------------------------------------------

# redirected OPTION... -- STEP... -- COMMAND...: runs isolate on a terminal with 0 to 2 redirected. The guest writes to
# $SCRATCH/out.
redirected() {
  # shellcheck disable=SC2034 # isolate_on_terminal reads it
  local CALLED_BY=(sh -c 'out=$1; shift; exec "$@" </dev/null >"$out" 2>&1' sh "$SCRATCH/out")
  rm -f "$SCRATCH/out"
  isolate_on_terminal "$@"
}

@test "T13 control: outside, a program without a terminal can open its controlling one" {
  on_terminal -- sh -c '"$1" open /dev/tty </dev/null >"$2" 2>&1' sh "$ATTACKS/attack" "$SCRATCH/out"
  grep -q succeeded "$SCRATCH/out" || complain "$(cat "$SCRATCH/out")"
}

@test "T13: a guest without a terminal can't open its caller's, or read what is typed there" {
  local options
  for options in '' '-i' '--seccomp=none' '--seccomp=tty' '--userns=private' '-e chroot'; do
    # shellcheck disable=SC2086
    redirected $options -- 'type:secret\r' -- sh -c '/mnt/attack open /dev/tty; setsid -w /mnt/attack open /dev/tty
      /mnt/attack open /dev/tty & wait; /mnt/attack open /dev/console'
    [[ $(grep -c 'refused: ENXIO: /dev/tty' "$SCRATCH/out") == 3 ]] || complain "'$options': $(cat "$SCRATCH/out")"
    refute grep succeeded "$SCRATCH/out"
    terminal_fact "queue: b'secret\\n'"
    terminal_fact 'modes: as before'
  done
}

keys_without_a_terminal() {
  # Each process of the command's job must get the key. bash continues unless the program that it waits for dies of the
  # signal.
  redirected "$@" -- "file:$SCRATCH/out=ready" 'type:\x03' -- bash -c "echo ready; sleep $MARK; echo went-on"
  terminal_fact 'ended: status 130'
  refute grep went-on "$SCRATCH/out"
  redirected "$@" -- "file:$SCRATCH/out=ready" 'type:\x1c' -- \
    bash -c "ulimit -c 0; trap 'echo caught; exit 9' QUIT; echo ready; sleep $MARK & wait"
  terminal_fact 'ended: status 9'
  # Each process must also stop and continue.
  redirected "$@" -- "file:$SCRATCH/out=ready" 'type:\x1a' stopped sleep:1 fg -- bash -c 'perl -MTime::HiRes=time,sleep -e "
    \$| = 1; print qq(ready\n); \$before = time;
    while (1) { sleep 0.05; exit 5 if time - \$before > 0.8; \$before = time }"; echo "perl $?"'
  terminal_fact 'ended: status 0'
  grep -q 'perl 5' "$SCRATCH/out" || complain "$(cat "$SCRATCH/out")"
  redirected "$@" -- "file:$SCRATCH/out=ready" hangup -- sh -c "echo ready; sleep $MARK"
  wait_until 3 no_process_with "$MARK" || complain "the guest survives its terminal"
}
@test "T13: keys and hang-ups reach a guest without a terminal" {
  keys_without_a_terminal
  keys_without_a_terminal -e chroot
  keys_without_a_terminal -i
}

@test "T13: Ctrl-C reaches the command's whole job if only the input is redirected" {
  local options
  for options in '' '--pty' '-e chroot'; do
    # shellcheck disable=SC2086
    words_of_isolate $options
    on_terminal wait:ready 'type:\x03' -- sh -c 'exec "$@" </dev/null' sh "${ISOLATE_WORDS[@]}" \
      bash -c "echo ready; sleep $MARK; echo went-on"
    terminal_fact 'ended: status 130'
    expect_not_in_output went-on
  done
}

@test "T13: a guest with one descriptor on the terminal can prompt there" {
  local descriptor
  for descriptor in '0</dev/tty' '1>/dev/tty' '2>/dev/tty'; do
    # With lxc the guest has no controlling terminal, unless it gets one of its own.
    if [[ $ENGINE == lxc ]]; then continue; fi
    words_of_isolate
    on_terminal wait:word: 'type:answer\r' wait:end -- sh -c "exec </dev/null >/dev/null 2>&1
      \"\$@\" $descriptor; echo en\"\"d >/dev/tty" sh "${ISOLATE_WORDS[@]}" \
      sh -c 'printf word: >/dev/tty; read -r x </dev/tty; test "$x" = answer && echo "is-an""swer" >/dev/tty'
    expect_in_output is-answer
  done
}

# --- T9, T10: a guest that dies, and what it leaves -------------------------------------------------------------------

@test "T9: a profile that kills ends only the process that makes the call" {
  cat >"$SCRATCH/profile.json" <<'END'
{ "defaultAction": "SCMP_ACT_ALLOW",
  "syscalls": [ { "names": ["ioctl"], "action": "SCMP_ACT_KILL_PROCESS",
                  "args": [ { "index": 1, "value": 4294967295, "valueTwo": 21522, "op": "SCMP_CMP_MASKED_EQ" } ] } ] }
END
  local options
  for options in '' '--pty' '-e chroot'; do
    # shellcheck disable=SC2086
    isolate_on_terminal $options "--seccomp=$SCRATCH/profile.json" -- -- \
      sh -c 'stty raw -echo; exec /mnt/attack tiocsti plain 0 evil'
    terminal_fact 'ended: status 159'
    terminal_fact 'modes: as before'
    terminal_fact 'foreground: the job'
    nothing_was_typed_for_us
    # Another process of the guest survives.
    # shellcheck disable=SC2086
    isolate_on_terminal $options "--seccomp=$SCRATCH/profile.json" -- -- \
      sh -c '/mnt/attack tiocsti plain 0 evil; echo "status $?"; exit 5'
    expect_in_output 'status 159'
    terminal_fact 'ended: status 5'
    nothing_was_typed_for_us
  done
  wait_until 3 store_is_clean "$STORE"
}

@test "T10 control: outside, a program that is killed in raw mode leaves the terminal raw" {
  on_terminal -- sh -c 'stty raw -echo; kill -KILL $$'
  terminal_fact 'modes: changed'
}

killed_in_raw_mode() {
  isolate_on_terminal "$@" -- -- sh -c 'stty raw -echo; kill -KILL $$'
  terminal_fact 'ended: status 137'
  terminal_fact 'modes: as before'
  terminal_fact 'foreground: the job'
  # Also after a shell with job control that has made another process group the foreground one.
  isolate_on_terminal "$@" -- 'wait:GUEST> ' 'type:stty -icanon; exec perl -e "kill 9, \$\$"\r' -- \
    env PS1='GUEST> ' bash --norc --noprofile -i
  terminal_fact 'ended: status 137'
  terminal_fact 'modes: as before'
  terminal_fact 'foreground: the job'
}
@test "T10: modes and foreground are restored when SIGKILL ends a guest" { for_each_kind killed_in_raw_mode; }

@test "T10: modes that a guest sets before it exits with status 0 stay on the caller's own terminal" {
  isolate_on_terminal -- -- stty -echo
  if [[ $ENGINE == lxc ]]; then terminal_fact 'modes: as before'; else terminal_fact 'modes: changed'; fi
  isolate_on_terminal --pty -- -- stty -echo
  terminal_fact 'modes: as before'
}

@test "T10: with --pty the caller's terminal is restored after every kind of end" {
  isolate_on_terminal --pty -- modes -- sh -c 'stty -echo; exit 0'
  terminal_fact 'modes: as before'
  isolate_on_terminal --pty -- wait:ready signal:TERM -- sh -c "echo ready; sleep $MARK & wait"
  terminal_fact 'modes: as before'
  isolate_on_terminal --pty -- -- /no/such/command
  terminal_fact 'ended: status 127'
  terminal_fact 'modes: as before'
}
