# identities: root user
# Terminals: a guest on the caller's terminal can neither type for the caller nor leave the terminal broken, and yet
# everything that one does on a terminal works. With --pty the same on a terminal of the guest's own.

load helpers
load attacks

setup_file() { build_attacks; }
teardown_file() { remove_attacks; }

TIOCSTI=0x5412
TIOCLINUX=0x541c

# --- T1 to T5, T12: bytes for the caller's input queue ----------------------------------------------------------------

@test "T1 control: TIOCSTI works on this kernel outside of isolate" {
  on_terminal -- "$ATTACKS/attack" tiocsti plain 0 evil
  if [[ $(cat /proc/sys/dev/tty/legacy_tiocsti 2>/dev/null || echo 1) == 1 || $IDENTITY == root ]]; then
    terminal_fact "queue: b'evil'"
  else
    note "dev.tty.legacy_tiocsti is 0 here: what the tests below can see is that the filter answers before the kernel"
    expect_in_output 'refused: EIO'
  fi
}

@test "T1 control: plain bwrap lets TIOCSTI through" {
  on_terminal -- bwrap --ro-bind "$TREE" / --dev /dev --proc /proc --unshare-all --ro-bind "$ATTACKS" /mnt -- \
    /mnt/attack tiocsti plain 0 evil
  [[ $stderr == *"queue: b'evil'"* || $output == *'refused: EIO'* ]] || complain "plain bwrap"
}

@test "T1 control: with --seccomp=none a guest types for its caller" {
  isolate_on_terminal --seccomp=none -- -- /mnt/attack tiocsti plain 0 evil
  [[ $stderr == *"queue: b'evil'"* || $output == *'refused: EIO'* ]] || complain "without a filter"
}

@test "T1: no byte pushed by TIOCSTI reaches the caller's terminal" {
  local options
  for options in '' '--seccomp=tty' '-e chroot' '--cap-add ALL' '--userns=private' '-i'; do
    # shellcheck disable=SC2086
    isolate_on_terminal $options -- -- /mnt/attack tiocsti plain 0 evil
    expect_in_output 'refused: EPERM'
    nothing_was_typed_for_us
  done
}

@test "T1: nor does one that a process in the background pushes, or a child" {
  isolate_on_terminal -- -- sh -c '(/mnt/attack tiocsti plain 0 evil); setsid /mnt/attack tiocsti plain 0 evil
    /mnt/attack tiocsti plain 0 evil & wait; perl -e "\$z = q(Z); ioctl(STDIN, 0x5412, \$z) or die qq(perl: \$!)"'
  nothing_was_typed_for_us
  expect_not_in_output succeeded
  expect_in_output 'perl: Operation not permitted'
}

@test "T2 control: a filter that compares all 64 bits lets a request with higher bits through" {
  # The kernel looks at 32 bits of the request only.
  on_terminal -- "$ATTACKS/attack" tiocsti high 0 evil
  [[ $stderr == *"queue: b'evil'"* || $output == *'refused: EIO'* ]] || complain "outside"
}

@test "T2: higher bits in the request change nothing" {
  local options way
  for options in '' '--seccomp=tty' '-e chroot'; do
    for way in high top; do
      # shellcheck disable=SC2086
      isolate_on_terminal $options -- -- /mnt/attack tiocsti "$way" 0 evil
      expect_in_output 'refused: EPERM'
      nothing_was_typed_for_us
    done
  done
}

@test "T3: nor do the calls of 32-bit programs, from a 64-bit program and from a real one" {
  local options
  if ! runs_32_bit; then note "this kernel runs no 32-bit programs: the next test asks the filter"; fi
  for options in '' '--seccomp=tty' '-e chroot'; do
    # shellcheck disable=SC2086
    isolate_on_terminal $options -- -- sh -c '/mnt/attack tiocsti int80 0 evil; /mnt/attack32 tiocsti 0'
    expect_not_in_output succeeded
    nothing_was_typed_for_us
    if runs_32_bit; then [[ $(grep -c 'refused: EPERM' <<<"$output") == 2 ]] || complain "expected EPERM twice"; fi
  done
}

@test "T3 control: where 32-bit programs run, both get through outside" {
  if ! runs_32_bit; then
    note "this kernel runs no 32-bit programs"
    is_refused_with ENOEXEC "$ATTACKS/attack" tiocsti int80 -1
    return
  fi
  on_terminal -- sh -c '"$1/attack" tiocsti int80 0 e; "$1/attack32" tiocsti 0' sh "$ATTACKS"
  terminal_fact "queue: b'eZ'"
}

# A request as it is, and with bits that the kernel does not look at.
forms_of() { echo "$1 $(($1 | 1 << 32)) $(($1 | 1 << 63)) $(($1 | 0x7fffffff << 32))"; }

filters_refuse_request() {
  local form architecture number expected=
  for form in $(forms_of "$1"); do
    for number in 0 -1; do
      expected+="EPERM x86_64 16 $number $form 0"$'\n'
      expected+="EPERM i386 54 $number $form 0"$'\n'
    done
    for architecture in x32 aarch64 arm mips64n32; do
      for number in 16 54 514 29; do expected+="$REFUSAL $architecture $number 0 $form 0"$'\n'; done
    done
  done
  filters_say "${expected%$'\n'}"
}

@test "T3, T4, T5: the filter refuses both requests in each architecture, in all their forms" {
  local options
  for options in '' '--seccomp=tty' '-e chroot'; do
    # shellcheck disable=SC2086
    start_guest $options
    filters_refuse_request "$TIOCSTI"
    filters_refuse_request "$TIOCLINUX"
    # It is the request that is refused, not the call.
    filters_say $'allow x86_64 16 0 0x5413 0\nallow i386 54 0 0x5413 0'
    end_guest
  done
}

@test "T4: numbers of x32 are refused before the kernel sees them" {
  local options
  # The kernel says ENOSYS where it has no x32, and EBADF where it has.
  run outside tiocsti x32 -1
  [[ $output == *ENOSYS* || $output == *EBADF* ]] || complain "outside"
  for options in '' '--seccomp=tty' '-e chroot'; do
    # shellcheck disable=SC2086
    is_refused_with EPERM with_attacks $options /mnt/attack tiocsti x32 -1
    # shellcheck disable=SC2086
    is_refused_with EPERM with_attacks $options /mnt/attack tiocsti x32-old -1
  done
}

@test "T5: TIOCLINUX is refused on a terminal that has no such request, too" {
  local options
  # The kernel's own answer on a pseudo terminal.
  on_terminal -- "$ATTACKS/attack" tioclinux plain 0 2
  expect_in_output 'refused: ENOTTY'
  for options in '' '--seccomp=tty' '-e chroot'; do
    # shellcheck disable=SC2086
    isolate_on_terminal $options -- -- sh -c 'for sub in 2 3; do /mnt/attack tioclinux plain 0 $sub
      /mnt/attack tioclinux high 0 $sub; done'
    [[ $(grep -c 'refused: EPERM' <<<"$output") == 4 ]] || complain "expected EPERM four times with '$options'"
  done
}

# A virtual console that nobody uses.
free_console() {
  local number
  for number in {40..63}; do
    if [[ -c /dev/tty$number ]] && ! pgrep --terminal "tty$number" >/dev/null &&
      (: 3<>"/dev/tty$number") 2>/dev/null; then
      CONSOLE=/dev/tty$number
      return 0
    fi
  done
  return 1
}

# on_console COMMAND...: its output is in $SCRATCH/shown, since it does not go to a pseudo terminal.
on_console() {
  : >"$SCRATCH/shown"
  as_caller /usr/bin/python3 -I -S "$ATTACKS/terminal.py" "--terminal=$CONSOLE" -- \
    sh -c 'out=$1; shift; "$@" >"$out" 2>&1' sh "$SCRATCH/shown" "$@" >"$SCRATCH/facts" 2>&1
}

@test "T5: on a virtual console no text of the screen can be selected and pasted as input" {
  if [[ $IDENTITY != root ]] || ! free_console; then
    note "needs root and a virtual console: the test before it shows the answer on other terminals"
    return 0
  fi
  chmod 0666 "$SCRATCH" 2>/dev/null
  chmod 0755 "$SCRATCH"
  # Outside, and with the host's root inside but no filter, it works.
  on_console "$ATTACKS/attack" tioclinux plain 0 2
  grep -q '^succeeded' "$SCRATCH/shown" || complain "outside: $(cat "$SCRATCH/shown" "$SCRATCH/facts")"
  words_of_isolate -e chroot --seccomp=none
  on_console "${ISOLATE_WORDS[@]}" /mnt/attack tioclinux plain 0 2
  grep -q '^succeeded' "$SCRATCH/shown" || complain "without a filter: $(cat "$SCRATCH/shown" "$SCRATCH/facts")"
  local options sub way
  for options in '-e chroot' '--seccomp=tty' '' '--cap-add ALL'; do
    # shellcheck disable=SC2086
    words_of_isolate $options
    for way in plain high; do
      for sub in 2 6; do
        on_console "${ISOLATE_WORDS[@]}" /mnt/attack tioclinux "$way" 0 "$sub"
        grep -q '^refused: EPERM' "$SCRATCH/shown" || complain "$(cat "$SCRATCH/shown")"
      done
    done
  done
}

@test "T12: whichever descriptor is the terminal, and by /dev/tty" {
  local options number
  for options in '' '--seccomp=tty' '-e chroot' '--pty'; do
    for number in 0 1 2 /dev/tty; do
      # Only this one is the terminal, or none is.
      words_of_isolate $options
      on_terminal -- sh -c 'n=$1 out=$2; shift 2
        case $n in
          0) exec "$@" >"$out" 2>&1 ;;
          1) exec "$@" </dev/null 2>"$out" ;;
          2) exec "$@" </dev/null >"$out" ;;
          *) exec "$@" </dev/null >"$out" 2>&1 ;;
        esac' sh "$number" "$SCRATCH/out" "${ISOLATE_WORDS[@]}" /mnt/attack tiocsti plain "$number" evil
      nothing_was_typed_for_us
      expect_not_in_output succeeded
      refute grep succeeded "$SCRATCH/out"
    done
  done
}

@test "T12 control: without a filter, /dev/tty is a way in although no descriptor is a terminal" {
  words_of_isolate --seccomp=none
  on_terminal -- sh -c 'out=$1; shift; exec "$@" </dev/null >"$out" 2>&1' sh "$SCRATCH/out" \
    "${ISOLATE_WORDS[@]}" /mnt/attack tiocsti plain /dev/tty evil
  [[ $stderr == *"queue: b'evil'"* ]] || grep -Eq 'refused: (EIO|ENXIO)' "$SCRATCH/out" || complain "/dev/tty"
}

@test "T10: with --pty, what a guest pushes stays on its own terminal" {
  isolate_on_terminal --pty --seccomp=none -- -- sh -c '/mnt/attack tiocsti plain 0 evil; sleep 0.2'
  nothing_was_typed_for_us
  isolate_on_terminal --pty -- -- /mnt/attack tiocsti plain 0 evil
  expect_in_output 'refused: EPERM'
  nothing_was_typed_for_us
}

@test "T8: a wrapper of the template or of the search path has no part in the filter" {
  copy_of_tree "$SCRATCH/tree"
  printf '#!/bin/sh\necho "template wrapper ran" >&2\nexec "$@"\n' >"$SCRATCH/tree/usr/bin/seccomp_wrapper"
  chmod 0755 "$SCRATCH/tree/usr/bin/seccomp_wrapper"
  cp "$SCRATCH/tree/usr/bin/seccomp_wrapper" "$SCRATCH/seccomp_wrapper"
  succeeds with_variables "PATH=$SCRATCH:/usr/bin:/bin" -- -q -t "$SCRATCH/tree" -d "$ATTACKS:/mnt:ro" \
    sh -c '/mnt/attack tiocsti plain -1; true'
  expect_in_output 'refused: EPERM'
  expect_no_errors
}

@test "T8: DISABLE_SECCOMP_WRAPPER is told, and --seccomp on the command line wins over it" {
  run --separate-stderr with_variables DISABLE_SECCOMP_WRAPPER=1 -- -q -z debian -d "$ATTACKS:/mnt:ro" \
    /mnt/attack tiocsti plain -1
  expect_in_output 'refused: EBADF'
  [[ $(grep -c '^isolate: warning: .*DISABLE_SECCOMP_WRAPPER' <<<"$stderr") == 1 ]] || complain "expected one warning"
  run --separate-stderr with_variables DISABLE_SECCOMP_WRAPPER=1 -- -q --seccomp=default -z debian \
    -d "$ATTACKS:/mnt:ro" /mnt/attack tiocsti plain -1
  expect_in_output 'refused: EPERM'
  # Without it, no warning.
  run --separate-stderr with_attacks /mnt/attack tiocsti plain -1
  expect_no_errors
}

@test "T8: seccomp_wrapper refuses the same to what it starts" {
  on_terminal -- "$BINDIR/seccomp_wrapper" "$ATTACKS/attack" tiocsti plain 0 evil
  expect_in_output 'refused: EPERM'
  nothing_was_typed_for_us
  on_terminal -- "$BINDIR/seccomp_wrapper" "$ATTACKS/attack" tiocsti high 0 evil
  expect_in_output 'refused: EPERM'
  nothing_was_typed_for_us
}

# --- T6: other terminals ----------------------------------------------------------------------------------------------

# Another terminal of the same user: its number is in OTHER.
start_other_terminal() {
  start /usr/bin/python3 -I -c '
import os, sys, time
# Not the number that the guest has for its own.
terminals = [os.openpty() for _ in range(5)]
slave = terminals[-1][1]
with open(sys.argv[1] + ".new", "w") as file: file.write(os.ttyname(slave))
os.rename(sys.argv[1] + ".new", sys.argv[1])
time.sleep(60)' "$SCRATCH/name"
  wait_until 10 test -s "$SCRATCH/name"
  OTHER=$(cat "$SCRATCH/name")
}

@test "T6 control: another terminal of the caller's opens where the host's devpts is seen" {
  start_other_terminal
  run as_caller bwrap --ro-bind / / --dev-bind /dev /dev -- "$ATTACKS/attack" open "$OTHER"
  expect_in_output succeeded
}

@test "T6: no other terminal opens, and the guest's devpts is its own" {
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
    [[ $status != 0 ]] || complain "opened by a bind on $where"
    expect_not_in_output succeeded
  done
  for option in /dev /dev/pts/ptmx /dev/ptmx; do
    run --separate-stderr with_attacks -d "$option:/opt/bound" sh -c "/mnt/attack open /opt/bound/pts/${OTHER##*/}
      /mnt/attack open /opt/bound/${OTHER##*/}; true"
    expect_not_in_output succeeded
  done
}

# --- T7: all that one does on a terminal ------------------------------------------------------------------------------

# Each of these on the caller's own terminal, on one of the guest's own, and with the chroot engine.
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
  isolate_on_terminal "$@" -- wait:ready 'type:\x03' wait:caught -- \
    bash -c "trap 'echo caught; exit 9' INT; echo ready; sleep $MARK & wait"
  terminal_fact 'ended: status 9'
}
@test "T7: Ctrl-C ends the command, or reaches its handler" { for_each_kind interrupt; }

quit() {
  isolate_on_terminal "$@" -- wait:ready 'type:\x1c' -- sh -c "ulimit -c 0; echo ready; exec sleep $MARK"
  terminal_fact 'ended: status 131'
}
@test "T7: Ctrl-backslash ends it with SIGQUIT" { for_each_kind quit; }

stop_and_go_on() {
  # While the command is stopped the terminal is the shell's, as it was; then the command goes on.
  isolate_on_terminal "$@" -- wait:ready 'type:\x1a' stopped modes fg sleep:0.2 'type:\r' wait:went-on -- \
    sh -c 'echo ready; read -r x; echo went-on'
  terminal_fact 'ended: status 0'
  terminal_fact 'now: cooked echo'
  terminal_fact 'modes: as before'
}
@test "T7: Ctrl-Z stops isolate with the command, and both go on" { for_each_kind stop_and_go_on; }

outer_shell() {
  words_of_isolate "$@"
  on_terminal 'wait:HOST> ' "type:${ISOLATE_WORDS[*]} sh -c 'echo re\"\"ady; read -r x; echo we\"\"nt-on'\\r" \
    wait:ready 'type:\x1a' wait:Stopped 'wait:HOST> ' 'type:jobs\r' wait:Stopped 'wait:HOST> ' \
    'type:fg\r' wait:isolate sleep:0.2 'type:x\r' wait:went-on 'wait:HOST> ' 'type:echo status $?\r' 'wait:status 0' \
    'wait:HOST> ' 'type:exit\r' -- \
    env PS1='HOST> ' bash --norc --noprofile -i
}
@test "T7: the same below an interactive shell of the host" { for_each_kind outer_shell; }

background() {
  words_of_isolate "$@"
  on_terminal 'wait:HOST> ' "type:${ISOLATE_WORDS[*]} sh -c 'sleep 0.2; echo fini\"\"shed' &\\r" wait:finished \
    'type:wait; echo status $?\r' 'wait:status 0' 'wait:HOST> ' 'type:exit\r' -- \
    env PS1='HOST> ' bash --norc --noprofile -i
}
# Not with --pty, which reads what is typed and so is stopped in the background, as any such program.
@test "T7: isolate runs in the background of a shell" {
  background
  background -e chroot
}

resize() {
  isolate_on_terminal "$@" -- wait:ready resize:50x100 'wait:50 100' resize:20x60 'wait:20 60' 'type:\x03' -- \
    perl -e '$| = 1; $SIG{WINCH} = sub { print `stty size` }; $SIG{INT} = sub { exit 0 };
      print "ready\n"; sleep 1 while 1'
  terminal_fact 'ended: status 0'
}
@test "T7: a new size of the window reaches the guest" { for_each_kind resize; }

terminal_settings() {
  isolate_on_terminal "$@" -- -- sh -ec 'stty size; stty -echo; stty echo; stty -a | grep -o " icanon"
    stty raw; stty sane; test -t 0 && test -t 1 && test -t 2; echo all-work'
  expect_in_output '24 80'
  expect_in_output ' icanon'
  expect_in_output all-work
  terminal_fact 'ended: status 0'
}
@test "T7: stty reads and sets the terminal" { for_each_kind terminal_settings; }

requests() {
  # On no descriptor: EBADF is the kernel's own answer, so the request was let through.
  local number
  isolate_on_terminal "$@" -- -- sh -c 'for number in 0x5401 0x5402 0x5403 0x5404 0x540e 0x540f 0x5410 0x5413 0x5414 \
    0x5422 0x5429 0x541b 0x540b; do /mnt/attack ioctl plain -1 $number; done'
  [[ $(grep -c EBADF <<<"$output") == 13 ]] || complain "expected EBADF for each of 13 requests"
}
@test "T7: all other requests to terminals are let through" { for_each_kind requests; }

@test "T7: with --pty, tty gives a name that can be opened" {
  isolate_on_terminal --pty -- -- sh -c 'tty; echo wri""tten >"$(tty)"'
  expect_in_output /dev/pts/0
  expect_in_output written
}

controlling_terminal() {
  isolate_on_terminal "$@" -- wait:ready 'type:typed\r' 'wait:got typed' -- \
    sh -c 'echo ready >/dev/tty; read -r x </dev/tty; echo "got $x"'
  terminal_fact 'ended: status 0'
}
@test "T7: /dev/tty reads and writes the terminal" { for_each_kind controlling_terminal; }

@test "T7: tty gives the caller's own terminal a name, too" {
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
  wait_until 3 no_process_with "$MARK" || complain "the guest lives on without its terminal, with '$KIND'"
}
@test "T7: when the terminal goes away, so does the guest" { for_each_kind hangup; }

@test "T7: large output is complete, whatever terminal it takes" {
  local options
  for options in '' '--pty'; do
    # shellcheck disable=SC2086
    isolate_on_terminal $options -- -- seq 1 20000
    [[ $(tail -n 1 <<<"$output") == 20000 && $(wc -l <<<"$output") == 20000 ]] || complain "with '$options'"
  done
}

@test "T7: --pty without a terminal works or says why" {
  run --separate-stderr with_attacks --pty sh -c 'echo out; echo err >&2; exit 4' </dev/null
  if [[ $status == 125 ]]; then
    one_error_line isolate
  else
    expect_status 4
  fi
}

# --- T9, T10: a guest that dies, and what it leaves -------------------------------------------------------------------

@test "T9: with a profile that kills, only the process that tries it dies" {
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
    # Another process of the guest lives on.
    # shellcheck disable=SC2086
    isolate_on_terminal $options "--seccomp=$SCRATCH/profile.json" -- -- \
      sh -c '/mnt/attack tiocsti plain 0 evil; echo "status $?"; exit 5'
    expect_in_output 'status 159'
    terminal_fact 'ended: status 5'
    nothing_was_typed_for_us
  done
  wait_until 3 store_is_clean "$STORE"
}

@test "T10 control: outside, a program killed in raw mode leaves the terminal raw" {
  on_terminal -- sh -c 'stty raw -echo; kill -KILL $$'
  terminal_fact 'modes: changed'
}

killed_in_raw_mode() {
  isolate_on_terminal "$@" -- -- sh -c 'stty raw -echo; kill -KILL $$'
  terminal_fact 'ended: status 137'
  terminal_fact 'modes: as before'
  terminal_fact 'foreground: the job'
  # By a shell with job control that has made another group the foreground's.
  isolate_on_terminal "$@" -- 'wait:GUEST> ' 'type:stty -icanon; exec perl -e "kill 9, \$\$"\r' -- \
    env PS1='GUEST> ' bash --norc --noprofile -i
  terminal_fact 'ended: status 137'
  terminal_fact 'modes: as before'
  terminal_fact 'foreground: the job'
}
@test "T10: modes and foreground are restored after a guest that dies by SIGKILL" { for_each_kind killed_in_raw_mode; }

@test "T10: what a guest sets on purpose and leaves with status 0 stays, on the caller's own terminal" {
  isolate_on_terminal -- -- stty -echo
  terminal_fact 'modes: changed'
  isolate_on_terminal --pty -- -- stty -echo
  terminal_fact 'modes: as before'
}

@test "T10: with --pty the caller's terminal is as before after every end" {
  isolate_on_terminal --pty -- modes -- sh -c 'stty -echo; exit 0'
  terminal_fact 'modes: as before'
  isolate_on_terminal --pty -- wait:ready signal:TERM -- sh -c "echo ready; sleep $MARK & wait"
  terminal_fact 'modes: as before'
  isolate_on_terminal --pty -- -- /no/such/command
  terminal_fact 'ended: status 127'
  terminal_fact 'modes: as before'
}
