# variants: root-bwrap
# Stores of each kind, and their pools of fresh clones. The same holds for all kinds.

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

@test "a run has its own writable clone, and leaves neither the clone nor a change" {
  local kind
  for kind in "${KINDS[@]}"; do
    succeeds in_store "$kind" sh -c 'id -u; cat /etc/debian_version; touch /new; stat -c %u /new /'
    [[ ${lines[0]} == 0 && ${lines[1]} == 12.* && ${lines[2]} == 0 && ${lines[3]} == 0 ]] || complain "$kind"
    # zfs-fuse knows no user namespaces: with it only the host's root may change the owner of a file.
    [[ $kind == zfs ]] || succeeds in_store "$kind" sh -c 'touch /new; chown 33:33 /new'
    succeeds in_store "$kind" sh -c 'test ! -e /new'
    wait_until 5 none_waits "$kind"
    [[ $(number_of_clones "$kind") == 0 ]] || complain "$kind: $(clones_of "$kind")"
  done
}
# The next refresh removes a clone that was busy for a moment.
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

@test "-f replaces all unused clones, -s makes none, and a smaller number removes some" {
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

@test "with an empty pool runs make their clones at once, many at a time" {
  local kind number at_a_time runs
  for kind in "${KINDS[@]}"; do
    refresh "$kind" 3
    runs=()
    at_a_time=12
    # zfs-fuse sometimes hangs forever if it has that much to do at once.
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

@test "a successful edit becomes the next generation, and fresh clones of the previous one are replaced" {
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
    [[ -z $(comm -12 <(echo "$before") <(clones_of "$kind" | sort)) ]] || complain "$kind: clones of the last one"
    expect_pool "$kind" fresh 2
  done
}

@test "changes of an edit that fails or is killed are kept, until its user continues or discards it" {
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
    wait_until 5 no_process_with "^sleep $MARK" || complain "$kind: the command is still running"
    succeeds ctl gc
    succeeds in_store "$kind" test ! -e /kept-apart
    succeeds ctl template edit "$kind:deb" --publish
    succeeds in_store "$kind" cat /kept-apart
    expect_output $'failed\nkilled'
    run ctl template edit "$kind:deb" -- sh -c 'rm /kept-apart; exit 3'
    succeeds ctl template edit "$kind:deb" --discard
    succeeds ctl template edit "$kind:deb" -- cat /kept-apart
    [[ $output == *$'failed\nkilled'* ]] || complain "$kind: the changes are lost"
  done
}

@test "a snapshot becomes a generation" {
  local kind before
  for kind in "${KINDS[@]}"; do
    before=$(ctl template show "$kind:deb" --json | jq .generation)
    succeeds ctl template snapshot "$kind:deb"
    (($(ctl template show "$kind:deb" --json | jq .generation) > before)) || complain "$kind"
    succeeds in_store "$kind" true
  done
}

@test "ZFS: manual changes in the dataset take effect from the next snapshot on" {
  here zfs mount "$ZFS_PARENT/deb"
  here touch /run/isolate/mounts/deb/by-hand
  succeeds in_store zfs test ! -e /by-hand
  succeeds ctl template snapshot zfs:deb
  succeeds in_store zfs test -e /by-hand
}

@test "ZFS: a template of root's gets a read-only root and a warning, because zfs-fuse can't map ids" {
  run --separate-stderr here "$ISOLATE" --store "$MAIN" -z "$ZFS_PARENT/deb" sh -c 'touch /new'
  [[ $status != 0 && $stderr == *'Read-only file system'* ]] || complain "the guest could write"
  [[ $stderr == *"can't map ids: the root is read-only"* ]] || complain "no warning"
}

@test "-z takes a name, KIND:NAME or a dataset; a name that is in several stores is refused" {
  succeeds here "$ISOLATE" --store "$MAIN" -q -z "$ZFS_PARENT/deb" -u "$ZFS_BASE" true
  run --separate-stderr here "$ISOLATE" --store "$MAIN" -q -z deb true
  [[ $status == 125 ]] || complain "deb"
  one_error_line isolate
  [[ $stderr == *'say which'* ]] || complain "advice"
  run --separate-stderr here "$ISOLATE" --store "$MAIN" -q -z "$ZFS_PARENT/none" true
  [[ $status == 125 ]] || complain "none"
  one_error_line isolate
}

@test "D4: only what has our mark and descends from the template is destroyed" {
  local keep=("$ZFS_PARENT/deb_1" "$ZFS_PARENT/deb_2" "$ZFS_PARENT/deb_3" "$ZFS_PARENT/other_4") snapshot name
  snapshot=$(here zfs list -H -o name -t snapshot -r "$ZFS_PARENT/deb" | tail -n 1)
  # Names like those of clones: a dataset, a clone without the mark, a clone with the mark of another template, and one
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

@test "the next refresh removes marked clones that no state knows of" {
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

@test "K6: a busy clone is kept, reported, and tried again" {
  refresh zfs 1
  start_in_store
  # Another mount namespace holds the clone's mount.
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
  wait_until 5 none_waits zfs || complain "the clone stays busy"
}
start_in_store() {
  nsenter --mount="/proc/$(cat "$HOLDER")/ns/mnt" -- "$ISOLATE" --store "$MAIN" -q --sync -z zfs:deb -u "$ZFS_BASE" \
    sleep "$MARK" 3>&- &
  RUNNING=$!
  STARTED+=("$RUNNING")
  wait_until 5 pool_is zfs leased 1
  sleep 0.5
}

@test "pools do not destroy a kept clone, gc --kept removes it" {
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

@test "-r needs root and the group, and says so in one line" {
  run --separate-stderr setpriv --reuid "$USER_A_UID" --regid "$USER_A_GID" --init-groups \
    env -i HOME=/nonexistent "$ISOLATE" -r deb 1
  [[ $status == 125 && $stderr == *'is for root'* ]] || complain "accepted from an ordinary user"
  one_error_line isolate
  sed '/^isolate:/d' /etc/group >"$SCRATCH/group"
  run --separate-stderr here unshare --mount sh -c 'mount --bind "$1" /etc/group && exec "$2" --store "$3" -r overlay:deb 1' \
    sh "$SCRATCH/group" "$ISOLATE" "$MAIN"
  [[ $status == 125 && $stderr == *'groupadd --system isolate'* ]] || complain "accepted without the group"
  one_error_line isolate
  run --separate-stderr refresh overlay x
  [[ $status == 125 ]] || complain "accepted an invalid number"
}

@test "a leased template can't be removed, but one with only fresh clones can" {
  local kind
  for kind in "${KINDS[@]}"; do
    ctl --store "$(store_of "$kind")" template create small --from "$WORK/tree-root-small"
    here "$ISOLATE" --store "$MAIN" -q -r "$kind:small" 2
    succeeds ctl template remove "$kind:small"
    run --separate-stderr ctl template show "$kind:small"
    [[ $status == 1 ]] || complain "$kind: the template still exists"
  done
  run --separate-stderr ctl template remove "zfs:none"
  [[ $status == 1 ]] || complain "none"
}

@test "D4: a ZFS template is removed only if isolatectl made it, it contains no dataset, and nothing was made from it" {
  local snapshot
  here zfs create -o mountpoint=none "$ZFS_PARENT/mine"
  here zfs snapshot "$ZFS_PARENT/mine@one"
  run --separate-stderr ctl template remove zfs:mine
  [[ $status == 1 && $stderr == *'was not made by isolatectl'* ]] || complain "one made by hand was removed"
  here zfs create -o mountpoint=none "$ZFS_PARENT/deb/data"
  run --separate-stderr ctl template remove zfs:deb
  [[ $status == 1 && $stderr == *'lies in the template'* ]] || complain "one with a dataset in it was removed"
  here zfs destroy "$ZFS_PARENT/deb/data"
  snapshot=$(here zfs list -H -o name -t snapshot -r "$ZFS_PARENT/deb" | tail -n 1)
  here zfs clone -o mountpoint=none "$snapshot" "$ZFS_PARENT/theirs"
  run --separate-stderr ctl template remove zfs:deb
  [[ $status == 1 && $stderr == *'was made from the template'* ]] || complain "one with a clone was removed"
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
