# variants: user-bwrap root-lxc root-native: each identity and each engine once, as no test depends on the pair
# other variants: root-bwrap user-lxc user-native
# A guest on the caller's terminal can't type for the caller, with any request, architecture or descriptor.

load helpers
load attacks

setup_file() { place_attacks; }
teardown_file() { remove_attacks; }

TIOCSTI=0x5412
TIOCLINUX=0x541c

# --- T1 to T5, T12: bytes for the caller's input queue ----------------------------------------------------------------

@test "T1 control: TIOCSTI works on this kernel outside isolate" {
  on_terminal -- "$ATTACKS/attack" tiocsti plain 0 evil
  if [[ $(cat /proc/sys/dev/tty/legacy_tiocsti 2>/dev/null || echo 1) == 1 || $IDENTITY == root ]]; then
    terminal_fact "queue: b'evil'"
  else
    note "dev.tty.legacy_tiocsti is 0: the tests below only show that the filter answers before the kernel"
    expect_in_output 'refused: EIO'
  fi
}

@test "T1 control: plain bwrap lets TIOCSTI through" {
  on_terminal -- bwrap --ro-bind "$TREE" / --dev /dev --proc /proc --unshare-all --ro-bind "$ATTACKS" /mnt -- \
    /mnt/attack tiocsti plain 0 evil
  [[ $stderr == *"queue: b'evil'"* || $output == *'refused: EIO'* ]] || complain "plain bwrap"
}

@test "T1 control: with --seccomp=none a guest can type for its caller" {
  isolate_on_terminal --seccomp=none -- -- /mnt/attack tiocsti plain 0 evil
  # With lxc the guest types into a terminal of its own, which is harmless.
  if [[ $ENGINE == lxc ]]; then
    [[ $stderr == *"queue: b''"* ]] || complain "the guest typed into the caller's terminal"
  else
    [[ $stderr == *"queue: b'evil'"* || $output == *'refused: EIO'* ]] || complain "without a filter"
  fi
}

@test "T1: TIOCSTI can't push a byte into the caller's terminal" {
  local options
  for options in '' '--seccomp=tty' '-e chroot' '--cap-add ALL' '--userns=private' '-i'; do
    # shellcheck disable=SC2086
    isolate_on_terminal $options -- -- /mnt/attack tiocsti plain 0 evil
    expect_in_output 'refused: EPERM'
    nothing_was_typed_for_us
  done
}

@test "T1: TIOCSTI fails in a background process and in a child as well" {
  isolate_on_terminal -- -- sh -c '(/mnt/attack tiocsti plain 0 evil); setsid /mnt/attack tiocsti plain 0 evil
    /mnt/attack tiocsti plain 0 evil & wait; perl -e "\$z = q(Z); ioctl(STDIN, 0x5412, \$z) or die qq(perl: \$!)"'
  nothing_was_typed_for_us
  expect_not_in_output succeeded
  expect_in_output 'perl: Operation not permitted'
}

@test "T2 control: a filter that compares all 64 bits would miss a request with higher bits set" {
  # The kernel looks only at 32 bits of the request.
  on_terminal -- "$ATTACKS/attack" tiocsti high 0 evil
  [[ $stderr == *"queue: b'evil'"* || $output == *'refused: EIO'* ]] || complain "outside"
}

@test "T2: a request with higher bits set is refused as well" {
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

@test "T3: 32-bit system calls can't type into the terminal, from a 64-bit or a 32-bit program" {
  local options
  if ! runs_32_bit; then note "this kernel runs no 32-bit programs: the next test reads the filter"; fi
  for options in '' '--seccomp=tty' '-e chroot'; do
    # shellcheck disable=SC2086
    isolate_on_terminal $options -- -- sh -c '/mnt/attack tiocsti int80 0 evil; /mnt/attack32 tiocsti 0'
    expect_not_in_output succeeded
    nothing_was_typed_for_us
    if runs_32_bit; then [[ $(grep -c 'refused: EPERM' <<<"$output") == 2 ]] || complain "expected EPERM twice"; fi
  done
}

@test "T3 control: outside, 32-bit system calls get through if the kernel runs 32-bit programs" {
  if ! runs_32_bit; then
    note "this kernel runs no 32-bit programs"
    is_refused_with ENOEXEC "$ATTACKS/attack" tiocsti int80 -1
    return
  fi
  on_terminal -- sh -c '"$1/attack" tiocsti int80 0 e; "$1/attack32" tiocsti 0' sh "$ATTACKS"
  terminal_fact "queue: b'eZ'"
}

# forms_of REQUEST: prints the request as it is, and with bits that the kernel ignores.
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

@test "T3, T4, T5: the filter refuses both requests in each architecture and in all their forms" {
  local options
  for options in '' '--seccomp=tty' '-e chroot'; do
    # shellcheck disable=SC2086
    start_guest $options
    filters_refuse_request "$TIOCSTI"
    filters_refuse_request "$TIOCLINUX"
    # The filter refuses the request, not the whole call.
    filters_say $'allow x86_64 16 0 0x5413 0\nallow i386 54 0 0x5413 0'
    end_guest
  done
}

@test "T4: x32 system calls are refused before the kernel sees them" {
  local options
  # The kernel answers ENOSYS if it has no x32, and EBADF if it has.
  run outside tiocsti x32 -1
  [[ $output == *ENOSYS* || $output == *EBADF* ]] || complain "outside"
  for options in '' '--seccomp=tty' '-e chroot'; do
    # shellcheck disable=SC2086
    is_refused_with EPERM with_attacks $options /mnt/attack tiocsti x32 -1
    # shellcheck disable=SC2086
    is_refused_with EPERM with_attacks $options /mnt/attack tiocsti x32-old -1
  done
}

@test "T5: TIOCLINUX is refused even on a terminal that has no such request" {
  local options
  # This is the kernel's own answer on a pseudo terminal.
  on_terminal -- "$ATTACKS/attack" tioclinux plain 0 2
  expect_in_output 'refused: ENOTTY'
  for options in '' '--seccomp=tty' '-e chroot'; do
    # shellcheck disable=SC2086
    isolate_on_terminal $options -- -- sh -c 'for sub in 2 3; do /mnt/attack tioclinux plain 0 $sub
      /mnt/attack tioclinux high 0 $sub; done'
    [[ $(grep -c 'refused: EPERM' <<<"$output") == 4 ]] || complain "expected EPERM four times with '$options'"
  done
}

# Finds a virtual console that nobody uses. Another worker's test holds the lock of its console until it ends; its processes
# can't be seen here.
free_console() {
  local number lock
  for number in {40..63}; do
    if [[ -c /dev/tty$number ]] && ! pgrep --terminal "tty$number" >/dev/null &&
      (: 3<>"/dev/tty$number") 2>/dev/null && exec {lock}>"$BASE/console-$number" && flock --nonblock "$lock"; then
      CONSOLE=/dev/tty$number
      return 0
    fi
  done
  return 1
}

# on_console COMMAND...: leaves the output in $SCRATCH/shown, because it does not go to a pseudo terminal.
on_console() {
  : >"$SCRATCH/shown"
  as_caller /usr/bin/python3 -I -S "$ATTACKS/terminal.py" "--terminal=$CONSOLE" -- \
    sh -c 'out=$1; shift; "$@" >"$out" 2>&1' sh "$SCRATCH/shown" "$@" >"$SCRATCH/facts" 2>&1
}

@test "T5: on a virtual console a guest can't select text of the screen and paste it as input" {
  if [[ $IDENTITY != root ]] || ! free_console; then
    note "needs root and a virtual console: the previous test shows the answer on other terminals"
    return 0
  fi
  chmod 0666 "$SCRATCH" 2>/dev/null
  chmod 0755 "$SCRATCH"
  # Control: it works outside, and with the host's root inside but without a filter.
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

@test "T12: typing fails through /dev/tty and through every descriptor on the terminal" {
  local options number
  for options in '' '--seccomp=tty' '-e chroot' '--pty'; do
    for number in 0 1 2 /dev/tty; do
      # Only this descriptor is on the terminal, or none is.
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

@test "T12: even without a filter, /dev/tty can't be used if no descriptor is a terminal" {
  words_of_isolate --seccomp=none
  on_terminal -- sh -c 'out=$1; shift; exec "$@" </dev/null >"$out" 2>&1' sh "$SCRATCH/out" \
    "${ISOLATE_WORDS[@]}" /mnt/attack tiocsti plain /dev/tty evil
  nothing_was_typed_for_us
  grep -q 'refused: ENXIO' "$SCRATCH/out" || complain "$(cat "$SCRATCH/out")"
}

@test "T10: with --pty, the characters that a guest pushes stay on its own terminal" {
  isolate_on_terminal --pty --seccomp=none -- -- sh -c '/mnt/attack tiocsti plain 0 evil; sleep 0.2'
  nothing_was_typed_for_us
  isolate_on_terminal --pty -- -- /mnt/attack tiocsti plain 0 evil
  expect_in_output 'refused: EPERM'
  nothing_was_typed_for_us
}

@test "T8: a wrapper in the template or on the search path does not affect the filter" {
  copy_of_tree "$SCRATCH/tree"
  printf '#!/bin/sh\necho "template wrapper ran" >&2\nexec "$@"\n' >"$SCRATCH/tree/usr/bin/seccomp_wrapper"
  chmod 0755 "$SCRATCH/tree/usr/bin/seccomp_wrapper"
  cp "$SCRATCH/tree/usr/bin/seccomp_wrapper" "$SCRATCH/seccomp_wrapper"
  succeeds with_variables "PATH=$SCRATCH:/usr/bin:/bin" -- -q -t "$SCRATCH/tree" -d "$ATTACKS:/mnt:ro" \
    sh -c '/mnt/attack tiocsti plain -1; true'
  expect_in_output 'refused: EPERM'
  expect_no_errors
}

@test "T8: isolate warns of DISABLE_SECCOMP_WRAPPER, and --seccomp on the command line overrides it" {
  run --separate-stderr with_variables DISABLE_SECCOMP_WRAPPER=1 -- -q -z debian -d "$ATTACKS:/mnt:ro" \
    /mnt/attack tiocsti plain -1
  expect_in_output 'refused: EBADF'
  [[ $(grep -c '^isolate: warning: .*DISABLE_SECCOMP_WRAPPER' <<<"$stderr") == 1 ]] || complain "expected one warning"
  run --separate-stderr with_variables DISABLE_SECCOMP_WRAPPER=1 -- -q --seccomp=default -z debian \
    -d "$ATTACKS:/mnt:ro" /mnt/attack tiocsti plain -1
  expect_in_output 'refused: EPERM'
  # Without the variable there is no warning.
  run --separate-stderr with_attacks /mnt/attack tiocsti plain -1
  expect_no_errors
}

@test "T8: seccomp_wrapper refuses the same requests to its command" {
  on_terminal -- "$BINDIR/seccomp_wrapper" "$ATTACKS/attack" tiocsti plain 0 evil
  expect_in_output 'refused: EPERM'
  nothing_was_typed_for_us
  on_terminal -- "$BINDIR/seccomp_wrapper" "$ATTACKS/attack" tiocsti high 0 evil
  expect_in_output 'refused: EPERM'
  nothing_was_typed_for_us
}
