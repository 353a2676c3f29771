# What the attack tests share: the attacking programs, and ways to run them.
#
#   ATTACKS   a folder with attack, attack32, preload.so and terminal.py, which is /mnt in each guest here
# shellcheck shell=bash
# shellcheck disable=SC2034,SC2154  # the test files use them; bats sets what "run" leaves

# Call these in setup_file and teardown_file.
place_attacks() {
  ATTACKS=$WORK/attacks-$IDENTITY-$(basename "$BATS_TEST_FILENAME" .bats)
  export ATTACKS
  cp -R "$BASE/attacks" "$ATTACKS"
  cp "$HELPERS/terminal.py" "$ATTACKS/"
  chmod 0755 "$ATTACKS/terminal.py"
}
remove_attacks() { rm -rf --one-file-system "$ATTACKS"; }

# Prints a remark besides the result of a test.
note() { echo "# $*" >&3; }

# --- where an attack runs ---------------------------------------------------------------------------------------------

outside() { as_caller "$ATTACKS/attack" "$@"; }
# Plain bwrap with the caller's terminal and its own namespaces, but without what isolate adds.
in_plain_bwrap() {
  as_caller bwrap --ro-bind "$TREE" / --proc /proc --dev /dev --tmpfs /tmp --unshare-all --ro-bind "$ATTACKS" /mnt \
    -- "$@"
}
# with_attacks OPTION... COMMAND...: runs the command in a guest that has the attacking programs in /mnt.
with_attacks() { isolate -q -z debian -d "$ATTACKS:/mnt:ro" "$@"; }
in_chroot() { with_attacks -e chroot "$@"; }

# The same as an array of words, for terminal.py.
ISOLATE_WORDS=()
words_of_isolate() { ISOLATE_WORDS=("$ISOLATE" --store "$STORE" -q -z debian -d "$ATTACKS:/mnt:ro" "$@"); }

# on_terminal STEP... -- COMMAND...: see terminal.py. Leaves the output in $output, and the terminal's state afterwards
# in $stderr.
on_terminal() {
  run --separate-stderr as_caller /usr/bin/python3 -I -S "$ATTACKS/terminal.py" "$@"
  # Status 3 means that a step took too long. Every step of a test must happen.
  [[ $status == 0 ]] || complain "terminal.py $*"
}
# isolate_on_terminal OPTION... -- STEP... -- COMMAND...: CALLED_BY holds the words of a program that starts isolate.
CALLED_BY=()
isolate_on_terminal() {
  local options=()
  while [[ $1 != -- ]]; do
    options+=("$1")
    shift
  done
  shift
  local steps=()
  while [[ $1 != -- ]]; do
    steps+=("$1")
    shift
  done
  shift
  words_of_isolate "${options[@]}"
  on_terminal "${steps[@]}" -- "${CALLED_BY[@]}" "${ISOLATE_WORDS[@]}" "$@"
}

# --- results ----------------------------------------------------------------------------------------------------------

# gets_through COMMAND...: expects the attack to succeed; for controls. is_refused COMMAND...: expects the attack to be
# tried and refused.
gets_through() {
  run --separate-stderr "$@"
  [[ $status == 0 && $output == *'succeeded: '* ]] || complain "this attack should get through here: $*"
}
is_refused() {
  run --separate-stderr "$@"
  [[ $status == 1 && $output == *'refused: '* ]] || complain "this attack should be refused: $*"
}
# is_refused_with ERROR COMMAND...: expects the attack to be refused with that error.
is_refused_with() {
  local error=$1
  shift
  is_refused "$@"
  [[ $output == *"refused: $error: "* ]] || complain "this attack should be refused with $error: $*"
}

# What terminal.py reports about the terminal after the command has ended.
terminal_fact() { [[ $'\n'$stderr$'\n' == *$'\n'"$1"$'\n'* ]] || complain "expected of the terminal: $1"; }
nothing_was_typed_for_us() { terminal_fact "queue: b''"; }

# Succeeds if this kernel runs 32-bit programs at all.
runs_32_bit() { "$ATTACKS/attack32" call 20 >/dev/null 2>&1; }

# start_guest OPTION...: starts a guest that sleeps. GUEST_PID is the command's pid on the host.
start_guest() {
  start_isolate -q -z debian -d "$ATTACKS:/mnt:ro" "$@" sleep "$MARK"
  wait_until 10 guest_is_up || complain "no guest: $(cat "$SCRATCH/err")"
}
guest_is_up() { GUEST_PID=$(processes_with "^sleep $MARK"); }
end_guest() {
  kill -TERM "$STARTED_PID"
  wait_until 5 no_process_with "$MARK"
}

# filters_say LINES: checks the answers of the started guest's filters. Each line is "EXPECTED ARCHITECTURE NUMBER
# [ARGUMENT...]"; EXPECTED is allow, EPERM and so on, or several of them separated by |.
filters_say() {
  run "$ATTACKS/attack" filter-check "$GUEST_PID" <<<"$1"
  [[ $status == 1 && ${lines[-1]} == *'answers as expected' ]] || complain "the filters give other answers"
}
REFUSAL='EPERM|ENOSYS|kill-process'
