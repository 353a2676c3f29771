# variants: root-bwrap user-bwrap root-lxc user-lxc root-native user-native: all, because identity and engine decide who starts which process
# other variants: root-bwrap user-bwrap root-lxc user-lxc root-native user-native root-warm user-warm
# File descriptors: the command gets 0, 1 and 2, and nothing else of the caller or of isolate.

load helpers

# Prints the open descriptors of a process that opens none itself.
DESCRIPTORS='use POSIX; for (0 .. 1100) { my $d = POSIX::dup($_); if (defined $d) { print "$_ "; POSIX::close($d) } }'

# Runs a command with a directory, a file and a pipe open.
with_open_descriptors() {
  "$@" 5<"$SCRATCH" 9</ 20<"$SCRATCH/secret" 33<>"$SCRATCH/fifo" 255</etc 900</
}

setup() {
  common_setup
  echo secret-4711 >"$SCRATCH/secret"
  mkfifo "$SCRATCH/fifo"
  chown "$CALLER_UID" "$SCRATCH/secret" "$SCRATCH/fifo"
}

@test "control: plain bwrap passes the caller's descriptors on" {
  # Shows that the next test can fail.
  run with_open_descriptors as_caller bwrap --bind "$TREE" / --proc /proc --dev /dev -- /usr/bin/perl -e "$DESCRIPTORS"
  [[ " $output " == *' 9 '* && " $output " == *' 20 '* ]]
}

@test "the command sees 0, 1 and 2 only" {
  local engine
  for engine in "$ENGINE" chroot; do
    succeeds with_open_descriptors isolate -q -e "$engine" -z debian perl -e "$DESCRIPTORS"
    expect_output '0 1 2 '
  done
  succeeds with_open_descriptors isolate -q -t "$TREE" perl -e "$DESCRIPTORS"
  expect_output '0 1 2 '
}

@test "the command has none of isolate's own descriptors, even with all options that open some" {
  mkdir "$SCRATCH/bound"
  succeeds with_open_descriptors in_clone --status-fd 33 -n -d "$SCRATCH/bound:/mnt" -d "$SCRATCH/secret:/file:ro" \
    perl -e "$DESCRIPTORS"
  expect_output '0 1 2 '
  succeeds with_open_descriptors with_variables PRE_SPAWN_HOOK=true POST_SPAWN_HOOK=true -- -q -z debian \
    perl -e "$DESCRIPTORS"
  expect_output '0 1 2 '
}

@test "pid 1 and other processes hold no descriptors of the caller" {
  run --separate-stderr with_open_descriptors in_clone --cap-add ALL \
    sh -c 'for i in /proc/[0-9]*; do ls -l $i/fd; cat $i/fd/20 $i/fd/9/secret; ls $i/fd/9/ $i/fd/900/; done 2>/dev/null'
  expect_not_in_output secret-4711
  expect_not_in_output "$SCRATCH"
  expect_not_in_output "$WORK"
}

@test "isolate works with any of 0, 1 and 2 closed, and the command gets none of isolate's descriptors there" {
  local inside='@l = map { readlink("/proc/self/fd/$_") // "closed" } 0 .. 2; open(F, ">/out"); print F "$_\n" for @l'
  local closed number
  touch "$SCRATCH/out"
  chown "$CALLER_UID" "$SCRATCH/out"
  for closed in '0<&-' '1>&-' '2>&-' '0<&- 1>&-' '0<&- 2>&-' '1>&- 2>&-' '0<&- 1>&- 2>&-'; do
    : >"$SCRATCH/out"
    eval "in_clone -d '$SCRATCH/out:/out' perl -e '$inside' $closed" || complain "status $? with $closed"
    [[ $(wc -l <"$SCRATCH/out") == 3 ]] || complain "with $closed: $(cat "$SCRATCH/out")"
    for number in 0 1 2; do
      if [[ $closed == *"$number"* ]]; then
        [[ $(sed -n "$((number + 1))p" "$SCRATCH/out") =~ ^(/dev/null|closed)$ ]] ||
          complain "$number with $closed: $(cat "$SCRATCH/out")"
      fi
    done
  done
}

@test "output to a closed descriptor damages nothing" {
  fingerprint "$STORE/templates" >"$SCRATCH/before"
  in_clone sh -c 'echo spoilt; echo spoilt >&2' 0<&- 1>&- 2>&- || true
  isolate -x -z debian sh -c 'echo spoilt' 0<&- 1>&- 2>&- || true
  fingerprint "$STORE/templates" >"$SCRATCH/after"
  cmp "$SCRATCH/before" "$SCRATCH/after"
}

@test "isolate works with many open descriptors and a low limit" {
  succeeds as_caller bash -c 'for i in {10..60}; do eval "exec $i</"; done; ulimit -n 128; exec "$@"' bash "$ISOLATE" \
    --store "$STORE" -q -z debian true
}
