# variants: root-bwrap
# Stores of each kind, and pools of fresh clones in them: the same holds for all.

load helpers
load stores

setup_file() { make_stores; }
teardown_file() { remove_stores; }
# Each test begins with empty pools.
teardown() {
  local kind
  for kind in "${KINDS[@]}"; do refresh "$kind" -f 0 || true; done
  common_teardown
}

@test "a run has a writable clone of its own, and leaves neither it nor a change" {
  local kind
  for kind in "${KINDS[@]}"; do
    succeeds in_store "$kind" sh -c 'id -u; cat /etc/debian_version; touch /new; stat -c %u /new /'
    [[ ${lines[0]} == 0 && ${lines[1]} == 12.* && ${lines[2]} == 0 && ${lines[3]} == 0 ]] || complain "$kind"
    # zfs-fuse knows no user namespaces: for it only the host's root may give files away.
    [[ $kind == zfs ]] || succeeds in_store "$kind" sh -c 'touch /new; chown 33:33 /new'
    succeeds in_store "$kind" sh -c 'test ! -e /new'
    wait_until 5 none_waits "$kind"
    [[ $(number_of_clones "$kind") == 0 ]] || complain "$kind: $(clones_of "$kind")"
  done
}
# A clone that is busy for a moment goes with the next refresh.
none_waits_of() {
  refresh "$1" "$2" 2>/dev/null
  pool_is "$1" waiting 0
}
none_waits() { none_waits_of "$1" 0; }

@test "--dry-run plans a run on a clone and makes none" {
  local kind
  for kind in overlay btrfs; do
    succeeds in_store "$kind" --dry-run true
    expect_in_output "clone: deb-"
    expect_in_output 'root: id-mapped, on disk as inside'
    [[ $(number_of_clones "$kind") == 0 ]] || complain "$kind: $(clones_of "$kind")"
  done
  isolate_refuses "zfs-fuse can't show" -- in_store zfs --dry-run true
  [[ $(number_of_clones zfs) == 0 ]] || complain "$(clones_of zfs)"
}

@test "-r keeps fresh clones ready, a run takes one, and the next -r replaces it" {
  local kind
  for kind in "${KINDS[@]}"; do
    succeeds refresh "$kind" 3
    expect_pool "$kind" fresh 3
    succeeds in_store "$kind" true
    expect_pool "$kind" fresh 2
    succeeds refresh "$kind"
    expect_pool "$kind" fresh 3
    expect_pool "$kind" size 3
  done
}

@test "-f replaces all that are unused, -s makes none, a smaller number takes some away" {
  local kind before
  for kind in "${KINDS[@]}"; do
    refresh "$kind" 2
    before=$(clones_of "$kind" | sort)
    succeeds refresh "$kind" -f 2
    wait_until 5 none_waits_of "$kind" 2
    [[ -z $(comm -12 <(echo "$before") <(clones_of "$kind" | sort)) ]] || complain "$kind: the same clones"
    succeeds refresh "$kind" -f -s 2
    expect_pool "$kind" fresh 0
    refresh "$kind" 3
    succeeds refresh "$kind" 1
    expect_pool "$kind" fresh 1
  done
}

@test "an empty pool makes a clone on the spot, many at a time" {
  local kind number at_a_time runs
  for kind in "${KINDS[@]}"; do
    refresh "$kind" 3
    runs=()
    at_a_time=12
    # zfs-fuse now and then stands still for ever when it has so much to do at once.
    if [[ $kind == zfs ]]; then at_a_time=1; fi
    for number in {1..12}; do
      in_store "$kind" sh -c "test ! -e /mark && echo $number >/mark && sleep 0.3 && cat /mark" 3>&- &
      runs+=("$!")
      if ((number % at_a_time == 0)); then wait "${runs[@]}" || true; fi
    done >"$SCRATCH/$kind" 2>"$SCRATCH/$kind.err"
    [[ $(sort -n "$SCRATCH/$kind" | tr '\n' ' ') == '1 2 3 4 5 6 7 8 9 10 11 12 ' ]] ||
      complain "$kind: $(cat "$SCRATCH/$kind" "$SCRATCH/$kind.err")"
    wait_until 10 has_fresh_ones_only "$kind" || complain "$kind: $(ctl pool status "$kind:deb" --json)"
  done
}
has_fresh_ones_only() {
  refresh "$1" 3 2>/dev/null
  pool_is "$1" fresh 3 && pool_is "$1" leased 0 && pool_is "$1" waiting 0 && [[ $(number_of_clones "$1") == 3 ]]
}

@test "an edit is the next generation, or nothing; fresh clones of the one before are replaced" {
  local kind before
  for kind in "${KINDS[@]}"; do
    refresh "$kind" 2
    before=$(clones_of "$kind" | sort)
    succeeds ctl template edit "$kind:deb" -- sh -c 'echo edited >/edited'
    run ctl template edit "$kind:deb" -- sh -c 'rm /edited /bin/true; exit 3'
    [[ $status == 3 ]] || complain "$kind"
    succeeds in_store "$kind" sh -c 'cat /edited && /bin/true'
    expect_output edited
    succeeds ctl template edit "$kind:deb" --discard
    refresh "$kind"
    [[ -z $(comm -12 <(echo "$before") <(clones_of "$kind" | sort)) ]] || complain "$kind: clones of the one before"
    expect_pool "$kind" fresh 2
  done
}

@test "what an edit that fails or is killed has done is kept apart, and goes on or away as its user says" {
  local kind
  for kind in "${KINDS[@]}"; do
    run ctl template edit "$kind:deb" -- sh -c 'echo failed >/kept-apart; exit 3'
    [[ $status == 3 ]] || complain "$kind"
    isolatectl_refuses unpublished --continue -- ctl template edit "$kind:deb" -- true
    isolatectl_refuses unpublished -- ctl template snapshot "$kind:deb"
    succeeds in_store "$kind" test ! -e /kept-apart
    start nsenter --mount="/proc/$(cat "$HOLDER")/ns/mnt" -- "$ISOLATECTL" --store "$MAIN" -q template edit "$kind:deb" --continue -- \
      sh -c "echo killed >>/kept-apart; echo ready; exec sleep $MARK"
    wait_until 20 grep -q ready "$SCRATCH/out" || complain "$kind: $(cat "$SCRATCH/err")"
    kill_started KILL
    wait_until 5 no_process_with "^sleep $MARK" || complain "$kind: the command lives on"
    succeeds ctl gc
    succeeds in_store "$kind" test ! -e /kept-apart
    succeeds ctl template edit "$kind:deb" --publish
    succeeds in_store "$kind" cat /kept-apart
    expect_output $'failed\nkilled'
    run ctl template edit "$kind:deb" -- sh -c 'rm /kept-apart; exit 3'
    succeeds ctl template edit "$kind:deb" --discard
    succeeds ctl template edit "$kind:deb" -- cat /kept-apart
    [[ $output == *$'failed\nkilled'* ]] || complain "$kind: not as before"
  done
}

@test "a snapshot is a generation" {
  local kind before
  for kind in "${KINDS[@]}"; do
    before=$(ctl template show "$kind:deb" --json | jq .generation)
    succeeds ctl template snapshot "$kind:deb"
    (($(ctl template show "$kind:deb" --json | jq .generation) > before)) || complain "$kind"
    succeeds in_store "$kind" true
  done
}

@test "ZFS: what was changed in the dataset by hand counts from the next snapshot on" {
  here zfs mount "$ZFS_PARENT/deb"
  here touch /run/isolate/mounts/deb/by-hand
  succeeds in_store zfs test ! -e /by-hand
  succeeds ctl template snapshot zfs:deb
  succeeds in_store zfs test -e /by-hand
}

@test "ZFS: a template that belongs to root gives a read-only root and a warning, since zfs-fuse maps no ids" {
  run --separate-stderr here "$ISOLATE" --store "$MAIN" -z "$ZFS_PARENT/deb" sh -c 'touch /new'
  [[ $status != 0 && $stderr == *'Read-only file system'* ]] || complain "it could write"
  [[ $stderr == *"can't map ids: the root is read-only"* ]] || complain "no warning"
}

@test "-z takes a name, KIND:NAME or a dataset; a name in several stores is refused" {
  succeeds here "$ISOLATE" --store "$MAIN" -q -z "$ZFS_PARENT/deb" -u "$ZFS_BASE" true
  run --separate-stderr here "$ISOLATE" --store "$MAIN" -q -z deb true
  [[ $status == 125 ]] || complain "deb"
  one_error_line isolate
  [[ $stderr == *'say which'* ]] || complain "advice"
  run --separate-stderr here "$ISOLATE" --store "$MAIN" -q -z "$ZFS_PARENT/none" true
  [[ $status == 125 ]] || complain "none"
  one_error_line isolate
}

@test "D4: only what carries our mark and descends from the template is destroyed" {
  local keep=("$ZFS_PARENT/deb_1" "$ZFS_PARENT/deb_2" "$ZFS_PARENT/deb_3" "$ZFS_PARENT/other_4") snapshot name
  snapshot=$(here zfs list -H -o name -t snapshot -r "$ZFS_PARENT/deb" | tail -n 1)
  # Names like those of clones: a dataset, a clone without the mark, one with the mark of another template, and one
  # that only inherits it.
  here zfs create -o mountpoint=none "${keep[0]}"
  here zfs clone -o mountpoint=none "$snapshot" "${keep[1]}"
  here zfs snapshot "${keep[0]}@other"
  here zfs clone -o mountpoint=none -o isolate:clone=x "${keep[0]}@other" "${keep[2]}"
  here zfs clone -o mountpoint=none "$snapshot" "${keep[3]}"
  here mkdir "$STORES/btrfs/store/clones/notes" "$MAIN/clones/other-abcdefghijkl"
  refresh zfs 2
  refresh zfs -f 0
  refresh btrfs -f 0
  refresh overlay -f 0
  ctl gc
  for name in "${keep[@]}"; do here zfs list "$name" >/dev/null || complain "$name is gone"; done
  here test -d "$STORES/btrfs/store/clones/notes"
  [[ -d $MAIN/clones/other-abcdefghijkl ]]
  here zfs inherit isolate:clone "${keep[2]}"
  for name in "${keep[3]}" "${keep[2]}" "${keep[1]}"; do here zfs destroy "$name"; done
  here zfs destroy -r "${keep[0]}"
  here rmdir "$STORES/btrfs/store/clones/notes" "$MAIN/clones/other-abcdefghijkl"
}

@test "marked clones that no state knows of go with the next refresh" {
  local snapshot
  snapshot=$(here zfs list -H -o name -t snapshot -r "$ZFS_PARENT/deb" | tail -n 1)
  here zfs clone -o mountpoint=none -o "isolate:clone=$snapshot" "$snapshot" "$ZFS_PARENT/deb_7"
  here sh -c 'cd "$1" && btrfs -q subvolume snapshot "templates/deb/generations/$(ls templates/deb/generations |
    sort -n | tail -n 1)" clones/deb-orphan' sh "$STORES/btrfs/store" >/dev/null
  mkdir -p "$MAIN/clones/deb-orphan/upper"
  for kind in "${KINDS[@]}"; do
    succeeds refresh "$kind" 0
    [[ $(number_of_clones "$kind") == 0 ]] || complain "$kind: $(clones_of "$kind")"
  done
}

@test "K6: a clone that is busy is kept, told of, and tried again" {
  refresh zfs 1
  start_in_store
  # Somebody's mount namespace has the clone's mount.
  local holder
  nsenter --mount="/proc/$(cat "$HOLDER")/ns/mnt" -- unshare --mount --propagation private sleep 60 3>&- &
  holder=$!
  STARTED+=("$holder")
  sleep 0.3
  kill "$RUNNING"
  wait "$RUNNING" || true
  expect_pool zfs waiting 1
  run --separate-stderr here "$ISOLATE" --store "$MAIN" -r zfs:deb 1
  [[ $status == 0 && $stderr == *'could not be destroyed yet'* ]] || complain "a refresh with a busy clone"
  expect_pool zfs waiting 1
  expect_pool zfs fresh 1
  kill "$holder"
  wait "$holder" || true
  wait_until 5 none_waits zfs || complain "it stays busy"
}
start_in_store() {
  nsenter --mount="/proc/$(cat "$HOLDER")/ns/mnt" -- "$ISOLATE" --store "$MAIN" -q -z zfs:deb -u "$ZFS_BASE" \
    sleep "$MARK" 3>&- &
  RUNNING=$!
  STARTED+=("$RUNNING")
  wait_until 5 pool_is zfs leased 1
  sleep 0.5
}

@test "a kept clone is no pool's to destroy; gc --kept removes it" {
  local kind
  for kind in "${KINDS[@]}"; do
    succeeds in_store "$kind" --keep touch /kept
    refresh "$kind" -f 0
    expect_pool "$kind" kept 1
    [[ $(number_of_clones "$kind") == 1 ]] || complain "$kind: $(clones_of "$kind")"
    succeeds ctl gc --kept
    expect_pool "$kind" kept 0
  done
}

@test "-r is for root, wants the group, and says so in one line" {
  run --separate-stderr setpriv --reuid "$USER_A_UID" --regid "$USER_A_GID" --init-groups \
    env -i HOME=/nonexistent "$ISOLATE" -r deb 1
  [[ $status == 125 && $stderr == *'is for root'* ]] || complain "an ordinary user"
  one_error_line isolate
  sed '/^isolate:/d' /etc/group >"$SCRATCH/group"
  run --separate-stderr here unshare --mount sh -c 'mount --bind "$1" /etc/group && exec "$2" --store "$3" -r overlay:deb 1' \
    sh "$SCRATCH/group" "$ISOLATE" "$MAIN"
  [[ $status == 125 && $stderr == *'groupadd --system isolate'* ]] || complain "without the group"
  one_error_line isolate
  run --separate-stderr refresh overlay x
  [[ $status == 125 ]] || complain "a number that is none"
}

@test "a template that is leased is not removed; fresh clones are no hindrance" {
  local kind
  for kind in "${KINDS[@]}"; do
    ctl --store "$(store_of "$kind")" template create small --from "$WORK/tree-root-small"
    here "$ISOLATE" --store "$MAIN" -q -r "$kind:small" 2
    succeeds ctl template remove "$kind:small"
    run --separate-stderr ctl template show "$kind:small"
    [[ $status == 1 ]] || complain "$kind: it is still there"
  done
  run --separate-stderr ctl template remove "zfs:none"
  [[ $status == 1 ]] || complain "none"
}

@test "D4: a ZFS template is removed only if isolatectl made it, nothing lies in it, and nothing else was made of it" {
  local snapshot
  here zfs create -o mountpoint=none "$ZFS_PARENT/mine"
  here zfs snapshot "$ZFS_PARENT/mine@one"
  run --separate-stderr ctl template remove zfs:mine
  [[ $status == 1 && $stderr == *'was not made by isolatectl'* ]] || complain "one made by hand"
  here zfs create -o mountpoint=none "$ZFS_PARENT/deb/data"
  run --separate-stderr ctl template remove zfs:deb
  [[ $status == 1 && $stderr == *'lies in the template'* ]] || complain "with a dataset in it"
  here zfs destroy "$ZFS_PARENT/deb/data"
  snapshot=$(here zfs list -H -o name -t snapshot -r "$ZFS_PARENT/deb" | tail -n 1)
  here zfs clone -o mountpoint=none "$snapshot" "$ZFS_PARENT/theirs"
  run --separate-stderr ctl template remove zfs:deb
  [[ $status == 1 && $stderr == *'was made from the template'* ]] || complain "with a clone of somebody"
  here zfs list "$snapshot" >/dev/null
  here zfs destroy "$ZFS_PARENT/theirs"
  here zfs destroy -r "$ZFS_PARENT/mine"
}
store_of() {
  case $1 in
    overlay) echo overlay ;;
    btrfs) echo "btrfs:$STORES/btrfs/store" ;;
    zfs) echo "zfs:$ZFS_PARENT" ;;
  esac
}
