# suites: trixie bookworm
# Templates in ZFS: how they are made, changed and removed, and what is never destroyed.

load vm

setup_file() {
  snapshot_now
  make_small_root "$WORK/small"
}
teardown() {
  local status=0
  common_teardown || status=1
  isolate -q -f -r "$DATASET" 0 || status=1
  if zfs list "$PARENT/small" >/dev/null 2>&1; then remove_small || zfs destroy -R "$PARENT/small" || status=1; fi
  return "$status"
}
# Prints the generations of a template, oldest first.
snapshots_of() { zfs list -H -o name -t snapshot -s creation "$PARENT/$1"; }
newest_snapshot_of() { snapshots_of "$1" | tail -n 1; }
create_small() { isolatectl -q --store "zfs:$PARENT" template create small --from "$WORK/small"; }
remove_small() { isolatectl template remove zfs:small; }
# Hides warnings: these tests are not about the read-only root of an older ZFS.
in_small() { isolate -q -z "$PARENT/small" "$@" 2>/dev/null; }

@test "a template can be created in ZFS, shown, and removed with its clones" {
  succeeds create_small
  succeeds in_small cat /etc/passwd
  expect_output root:x:0:0::/root:/bin/sh
  succeeds isolatectl template list --json
  [[ $(jq -r '.[].name' <<<"$output" | sort | tr '\n' ' ') == 'debisl small ' ]] || complain "list"
  isolate -q -r "$PARENT/small" 2
  [[ $(number_of_clones small) == 2 ]]
  succeeds remove_small
  refute zfs list "$PARENT/small"
  no_clones small || complain "$(clones_of small)"
}

@test "template edit: a success makes the next generation, a failure does not change the dataset" {
  local before
  create_small
  before=$(snapshots_of small | wc -l)
  succeeds isolatectl template edit zfs:small -- sh -c 'echo edited >/edited'
  [[ $(snapshots_of small | wc -l) -gt $before ]] || complain "$(snapshots_of small)"
  run isolatectl template edit zfs:small -- sh -c 'rm -rf /edited /etc; exit 3'
  [[ $status == 3 ]]
  succeeds isolatectl template edit zfs:small --discard
  succeeds in_small cat /edited /etc/passwd
  expect_output $'edited\nroot:x:0:0::/root:/bin/sh'
}

@test "template edit: changes of a killed editor are kept apart until they are discarded" {
  create_small
  start "$ISOLATECTL" -q template edit zfs:small -- sh -c "rm -rf /etc; echo ready; exec sleep $MARK"
  wait_until 30 run_is_ready || complain "$(cat "$SCRATCH/err")"
  kill_started KILL
  wait_until 5 no_process_with "^sleep $MARK" || complain "the shell is still running"
  succeeds in_small cat /etc/passwd
  isolatectl_refuses unpublished -- isolatectl template edit zfs:small -- true
  succeeds isolatectl template edit zfs:small --discard
  succeeds isolatectl template edit zfs:small -- true
  succeeds in_small cat /etc/passwd
}

@test "the next refresh replaces fresh clones of an older generation, and runs keep theirs" {
  local before
  isolate -q -r "$DATASET" 2
  before=$(clones_of debisl)
  start_run -z "$DATASET" -- true
  touch /isolate/debisl/by-hand
  succeeds isolatectl template snapshot zfs:debisl
  succeeds isolate -q -r "$DATASET"
  expect_pool debisl fresh 2
  expect_pool debisl leased 1
  kill_started TERM
  wait_until 10 fresh_ones_only || complain "$(isolatectl pool status zfs:debisl --json)"
  expect_none_in_common "$before" "$(clones_of debisl)"
  run --separate-stderr isolate -q -z "$DATASET" test -e /by-hand
  expect_status 0
  rm /isolate/debisl/by-hand
}
fresh_ones_only() {
  isolate -q -r "$DATASET" 2>/dev/null
  pool_is debisl waiting 0 && [[ $(number_of_clones debisl) == 2 ]]
}

@test "changes in the dataset take effect from the next snapshot on, even if zfs itself makes it" {
  create_small
  zfs mount "$PARENT/small"
  touch "$(mount_point_of small)/by-hand"
  succeeds in_small test ! -e /by-hand
  zfs snapshot "$PARENT/small@mine"
  succeeds in_small test -e /by-hand
  zfs unmount "$PARENT/small"
}
mount_point_of() { findmnt --noheadings --output TARGET --source "$PARENT/$1"; }

@test "only what has our mark and descends from the template is destroyed" {
  local keep=("${DATASET}_1" "${DATASET}_2" "${DATASET}_3" "$PARENT/other_4" "$PARENT/data") snapshot name
  snapshot=$(newest_snapshot_of debisl)
  # Names like those of clones: a dataset, a clone without the mark, one with another template's mark, and one that
  # inherits it.
  zfs create "${keep[0]}"
  zfs clone "$snapshot" "${keep[1]}"
  zfs snapshot "${keep[0]}@other"
  zfs clone -o isolate:clone=x "${keep[0]}@other" "${keep[2]}"
  zfs clone "$snapshot" "${keep[3]}"
  zfs create -o isolate:clone=x "${keep[4]}"
  isolate -q -r "$DATASET" 2
  isolate -q -f -r "$DATASET" 0
  isolatectl gc
  for name in "${keep[@]}"; do zfs list "$name" >/dev/null || complain "$name is gone"; done
  zfs destroy "${keep[4]}"
  for name in "${keep[3]}" "${keep[2]}" "${keep[1]}"; do zfs destroy "$name"; done
  zfs destroy -r "${keep[0]}"
}

@test "the next refresh removes a clone with our mark that no state knows of" {
  local snapshot
  snapshot=$(newest_snapshot_of debisl)
  zfs clone -o mountpoint=none -o "isolate:clone=$snapshot" "$snapshot" "${DATASET}_7"
  succeeds isolate -q -r "$DATASET" 0
  no_clones debisl || complain "$(clones_of debisl)"
}

@test "an unfinished clone without a mark is removed if it is recorded and nobody has written to it" {
  local snapshot making="$STORE/zfs/${PARENT/\//%}/debisl/making"
  snapshot=$(newest_snapshot_of debisl)
  zfs clone -o mountpoint=none "$snapshot" "${DATASET}_8"
  zfs clone "$snapshot" "${DATASET}_9"
  zfs clone -o mountpoint=none "$snapshot" "${DATASET}_10"
  touch /isolate/debisl_9/mine "$making"/debisl_{8,9}
  zpool sync rpool
  run --separate-stderr isolate -r "$DATASET" 0
  expect_in_errors "${DATASET}_9 is not a clone that isolate made"
  refute zfs list "${DATASET}_8"
  [[ -e /isolate/debisl_9/mine ]] || complain "a clone with changes is gone"
  zfs list "${DATASET}_10" || complain "a clone that is not recorded is gone"
  zfs destroy "${DATASET}_9"
  zfs destroy "${DATASET}_10"
  succeeds isolate -q -r "$DATASET" 0
  no_zfs_state || complain "left: $(zfs_state)"
}

@test "a template that isolatectl did not make, or from which something else was made, can't be removed" {
  run --separate-stderr isolatectl template remove zfs:debisl
  [[ $status == 1 && $stderr == *'was not made by isolatectl'* ]] || complain "a template made by hand was removed"
  create_small
  zfs clone "$(newest_snapshot_of small)" "$PARENT/theirs"
  run --separate-stderr remove_small
  [[ $status == 1 && $stderr == *'was made from the template'* ]] || complain "one with a clone was removed"
  zfs destroy "$PARENT/theirs"
  zfs create "$PARENT/small/data"
  run --separate-stderr remove_small
  [[ $status == 1 && $stderr == *'lies in the template'* ]] || complain "one with a dataset in it was removed"
  zfs destroy "$PARENT/small/data"
  succeeds remove_small
}

@test "a template in use can't be removed" {
  create_small
  start_run -z "$PARENT/small" -- true
  run --separate-stderr remove_small
  expect_status 1
  zfs list "$PARENT/small" >/dev/null
  kill_started TERM
  wait_until 10 remove_small || complain "the template can't be removed afterwards"
}
