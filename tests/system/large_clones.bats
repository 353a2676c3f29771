# variants: root-bwrap
# X1: guests that leave more than can be removed at once, or that continue while it is removed. The work on them is
# bounded, pools are filled meanwhile, and in the end everything is gone.

load helpers
load stores
only_kinds overlay btrfs

setup_file() {
  make_stores
  ctl template create other --from "$WORK/tree-root-small"
}
teardown_file() { remove_stores; }
teardown() {
  local kind
  kill "${STARTED[@]}" 2>/dev/null || true
  for kind in "${KINDS[@]}"; do within_time "$ISOLATE" --store "$MAIN" -q -r "$kind:deb" -f 0 || true; done
  common_teardown
}

# Counts the clones of the template "deb".
clones_left() { clones_of "$1" | grep -c '^deb-' || true; }
no_clones_left() { [[ $(clones_left "$1") == 0 ]]; }

# A pass usually takes half a second on an idle machine. An unbounded removal would never end.
within_time() { timeout --foreground 20 nsenter --mount="/proc/$(cat "$HOLDER")/ns/mnt" -- "$@"; }

# left_clone KIND COMMAND...: makes a clone in which the command has run and that nobody has removed yet. Its directory
# is in LEFT.
left_clone() {
  local kind=$1 id store
  shift
  id=$(in_store "$kind" --keep sh -c '"$@" >&2 && uname -n' sh "$@")
  store=$MAIN
  [[ $kind == overlay ]] || store=$STORES/btrfs/store
  here mv "$store/pools/deb/kept/$id" "$store/pools/deb/trash/$id"
  LEFT=$store/clones/$id
}

# Grows the clone as a member could who still has it mounted. Ends when nothing is left to fill.
start_growing() {
  local number
  for number in 1 2 3; do
    nsenter --mount="/proc/$(cat "$HOLDER")/ns/mnt" -- \
      perl -e 'chdir $ARGV[0] or die; mkdir "'"$number"'-$i" or exit while ++$i < 100000' "$1" 3>&- &
    STARTED+=("$!")
  done
  sleep 0.2
}

@test "while a used clone grows faster than it can be removed, pools are filled, and later it is removed" {
  local kind
  for kind in "${KINDS[@]}"; do
    left_clone "$kind" true
    if [[ $kind == btrfs ]]; then
      # Make subvolumes while others are deleted.
      nsenter --mount="/proc/$(cat "$HOLDER")/ns/mnt" -- \
        sh -c 'cd "$1" && while btrfs -q subvolume create s$((i = i + 1)) >/dev/null 2>&1; do :; done' sh "$LEFT" 3>&- &
      STARTED+=("$!")
    else
      start_growing "$LEFT/upper"
    fi
    succeeds within_time "$ISOLATECTL" --store "$MAIN" -q ps
    within_time "$ISOLATE" --store "$MAIN" -q -r "$kind:deb" 3 ||
      complain "the same pool is not filled"
    expect_pool "$kind" fresh 3
    within_time "$ISOLATE" --store "$MAIN" -q -r overlay:other 2 ||
      complain "another pool is not filled"
    succeeds in_store "$kind" true
    kill "${STARTED[@]}" 2>/dev/null || true
    wait "${STARTED[@]}" 2>/dev/null || true
    STARTED=()
    succeeds ctl gc
    expect_pool "$kind" waiting 0
    here test ! -e "$LEFT" || complain "$kind: the clone still exists"
  done
}

@test "a run with 10,000 nested directories and 60,000 long names ends, ps shows it, and gc removes all" {
  local start
  start_large_run
  start=${EPOCHREALTIME/./}
  succeeds ctl ps --json
  ((${EPOCHREALTIME/./} - start < 5000000)) || complain "ps took $((${EPOCHREALTIME/./} - start)) us"
  [[ $(jq '.[0] | .bytes > 100000 and (.bytes_incomplete | type) == "boolean"' <<<"$output") == true ]] ||
    complain "ps does not show the large clone"
  kill "$RUNNING"
  kill "$RUNNING"
  wait "$RUNNING" || true
  ctl gc
  wait_until 60 none_is_left || complain "$(ls "$MAIN/clones")"
}
none_is_left() {
  ctl gc
  [[ $(clones_left overlay) == 0 ]] && pool_is overlay waiting 0
}
start_large_run() {
  nsenter --mount="/proc/$(cat "$HOLDER")/ns/mnt" -- "$ISOLATE" --store "$MAIN" -q -z overlay:deb \
    perl -e 'for (1..60000) { open F, ">", "/var/" . "n" x 200 . $_; print F "x" if $_ % 10 == 0 }
      for (1..10000) { mkdir "d"; chdir "d"; next if $_ % 10; open F, ">", "f"; print F "x" }
      $| = 1; print "large\n"; sleep 3600' >"$SCRATCH/large" 3>&- &
  RUNNING=$!
  STARTED+=("$RUNNING")
  wait_until 120 test -s "$SCRATCH/large" || complain "the clone does not get large"
}

# Perl functions with which a guest makes subvolumes, using only programs of the template.
subvolumes='sub call { my ($dir, $number, $argument) = @_; open my $d, "<", $dir or die "$dir: $!";
    ioctl $d, $number, $argument or die "ioctl $number on $dir: $!"; }
  sub make { call($_[0], 0x5000940e, pack "q a4088", 0, $_[1]) }
  sub snapshot { open my $of, "<", $_[2] or die; call($_[0], 0x50009417, pack "q Q Q x32 a4040", fileno $of, 0, 2, $_[1]) }
  sub freeze { call($_[0], 0x4008941a, pack "Q", 2) }
  '

@test "btrfs: nested and read-only subvolumes of a guest, and those at the end of long paths, are removed" {
  succeeds in_store btrfs perl -e "$subvolumes"'
    make("/", "a"); make("/a", "b"); make("/a/b", "c"); mkdir "/a/b/d"; make("/a/b/d", "e");
    snapshot("/", "taken", "/a");
    freeze("/a/b/c"); freeze("/a/b"); freeze("/a");
    my $long = "n" x 200; chdir "/root" or die;
    for (1..40) { mkdir $long; chdir $long or die; make(".", "s"); chdir "s" or die }
    print "made\n"'
  expect_output made
  expect_no_errors
  wait_until 5 no_clones_left btrfs || complain "$(clones_of btrfs)"
  succeeds ctl gc
}

@test "btrfs: a clone whose own root is read-only is removed" {
  succeeds in_store btrfs perl -e "$subvolumes"'make("/", "a"); freeze("/a"); freeze("/")'
  wait_until 5 no_clones_left btrfs || complain "$(clones_of btrfs)"
}

@test "immutable files that a guest of root's makes are removed" {
  local kind
  for kind in "${KINDS[@]}"; do
    succeeds in_store "$kind" -e chroot sh -ec 'mkdir -p /kept/below; echo x >/kept/below/file; echo x >/file
      chattr +i /kept/below/file /kept/below /file; chattr +a /kept; chattr +i /'
    wait_until 5 no_clones_left "$kind" || complain "$kind: $(clones_of "$kind")"
  done
}

@test "an overlay passes no subvolume calls on, and an empty subvolume in a clone is removed" {
  local id
  here "$ISOLATECTL" --store "overlay:$STORES/btrfs/overlay" -q template create deb --from "$WORK/tree-root-small"
  run --separate-stderr here "$ISOLATE" --store "$STORES/btrfs/overlay" -q -z deb perl -e "$subvolumes"'make("/", "a")'
  [[ $status != 0 && $stderr == *'ioctl 1342215182 on /: '* ]] || complain "a guest made a subvolume in its upper directory"
  id=$(here "$ISOLATE" --store "$STORES/btrfs/overlay" -q -z deb --keep uname -n)
  here btrfs -q subvolume create "$STORES/btrfs/overlay/clones/$id/upper/a" >/dev/null
  here touch "$STORES/btrfs/overlay/clones/$id/upper/a/file"
  succeeds here "$ISOLATECTL" --store "$STORES/btrfs/overlay" gc --kept
  here test ! -e "$STORES/btrfs/overlay/clones/$id" || complain "the clone still exists"
}

@test "an existing empty directory becomes a store" {
  local kind main
  for kind in btrfs overlay; do
    here mkdir -m 0700 "$STORES/btrfs/empty-$kind"
    succeeds ctl --store "$kind:$STORES/btrfs/empty-$kind" template create "in-$kind" --from "$WORK/tree-root-small"
    main=$MAIN
    [[ $kind == btrfs ]] || main=$STORES/btrfs/empty-overlay
    succeeds here "$ISOLATE" --store "$main" -q -r "in-$kind" 1
    succeeds here "$ISOLATE" --store "$main" -q -z "in-$kind" cat /etc/debian_version
    succeeds here "$ISOLATECTL" --store "$main" -q template remove "in-$kind"
  done
}
