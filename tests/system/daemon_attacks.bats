# variants: root-bwrap: the daemon serves only root's stores
# What a hostile member can do with a lease, and while requesting one.

load helpers
load stores
load attacks
load daemon

only_kinds overlay btrfs
SIZE=3

setup_file() { make_daemon "$SIZE"; }
teardown_file() { remove_daemon; }
# Whatever was done with its clones, the daemon's pools must be in order afterwards.
teardown() {
  local status=0
  daemon_teardown || status=1
  settles overlay "$SIZE" || status=1
  settles btrfs "$SIZE" || status=1
  return "$status"
}

# attack_as WORDS ATTACK ARGUMENT...: runs an attack of daemon_attacks.py as MEMBER, MEMBER_B, OUTSIDER or HERE.
attack_as() {
  local -n words_of_attacker=$1
  shift
  words_of_tool daemon_attacks
  "${words_of_attacker[@]}" "${TOOL[@]}" "$@"
}
# start_attack WORDS ATTACK ARGUMENT...: starts an attack that keeps what it has until it is killed.
start_attack() {
  local words=$1
  shift
  words_of_tool daemon_attacks
  start_words "$words" "${TOOL[@]}" "$@"
}
overlay_is_leased() { pool_is overlay leased "$1"; }

@test "control: a member enters their lease, reads its root and writes to it" {
  local kind
  for kind in overlay btrfs; do
    run attack_as MEMBER control "$kind:deb"
    expect_status 0
    expect_not_in_output refused
    expect_in_output 'succeeded: write to the root'
  done
}

@test "M7: the mount flags of a btrfs clone are locked, even in copies and in nested namespaces" {
  is_refused attack_as MEMBER clear_flags btrfs:deb
  expect_in_output 'clear nodev of root in a copy: EPERM'
}

@test "M7, O1: with an overlay lease a member can reach only the root, and no layer" {
  is_refused attack_as MEMBER layers_in_reach overlay:deb
}

@test "O1: a file lease on a file of the template does not block other guests that open it" {
  local begin
  OUT=leases start_attack MEMBER_B file_leases overlay:deb
  wait_until 20 grep -q '^leases [1-9]' "$SCRATCH/leases" || complain "no lease was taken: $(cat "$SCRATCH/leases.err")"
  begin=$EPOCHSECONDS
  succeeds run_in overlay sh -c 'wc -c </etc/ld.so.cache'
  ((EPOCHSECONDS - begin < 10)) || complain "it took $((EPOCHSECONDS - begin)) seconds"
  kill_started KILL
}

@test "O1: a member who watches a template's files learns nothing of other guests" {
  OUT=watch start_attack MEMBER_B watch overlay:deb 5
  wait_until 20 grep -q watching "$SCRATCH/watch" || complain "the attack does not watch: $(cat "$SCRATCH/watch.err")"
  succeeds run_in overlay sh -c 'cat /etc/ld.so.cache >/dev/null; ls /etc /usr/bin >/dev/null'
  end_of_started
  [[ $STATUS == 1 ]] || complain "$(cat "$SCRATCH/watch")"
  grep -q 'refused: nothing was seen' "$SCRATCH/watch"
}

@test "no mount of a lease can be removed to see what is below" {
  is_refused attack_as MEMBER unmount overlay:deb
  is_refused attack_as MEMBER unmount btrfs:deb
}

@test "M7: no device node can be made in a clone" {
  local userns
  for userns in automatic private; do
    is_refused attack_as MEMBER devices overlay:deb "$userns"
    is_refused attack_as MEMBER devices btrfs:deb "$userns"
  done
}

@test "F5: no way out of the stage, through the descriptors or to the stores by their paths" {
  is_refused attack_as MEMBER reach_out overlay:deb "$MAIN" "$STORES/btrfs/store"
  is_refused attack_as MEMBER reach_out btrfs:deb "$MAIN" "$STORES/btrfs/store"
}

@test "F2: a lease's four descriptors are two namespaces of the member and two files, all read-only" {
  is_refused attack_as MEMBER kinds overlay:deb
  is_refused attack_as MEMBER kinds btrfs:deb
}

@test "M7, O1: beside its lease, a guest's mounts keep their flags and no layer is in reach" {
  local kind
  stop_daemon
  words_of_tool daemon_forbid
  spawn_daemon "${TOOL[@]}" unshare "$ISOLATED" --store "$MAIN"
  wait_until 20 daemon_answers || complain "the daemon does not answer"
  for kind in overlay btrfs; do is_refused attack_as MEMBER beside "$kind:deb"; done
  restart_daemon
}

@test "the lock files can't be written, truncated or given another mode" {
  is_refused attack_as MEMBER locks overlay:deb
}

@test "another user can't use a lease's descriptors" {
  is_refused attack_as HERE other_user overlay:deb "$USER_A_UID" "$USER_B_UID" "$GROUP_GID"
}

@test "M8: a set-user-id file of root in a clone is out of reach of the host's users" {
  # Let a shell execute the command, because setpriv still has capabilities when it looks for it.
  local path words executing=(sh -c 'exec "$0"')
  start_attack MEMBER suid overlay:deb "$MAIN"
  wait_until 20 test -s "$SCRATCH/out" || complain "no lease: $(cat "$SCRATCH/out.err")"
  path=$(cat "$SCRATCH/out")
  # The file is set-user-id root. Only the directories above keep others away from it.
  [[ $(stat -c '%u %a' "$path") == '0 6755' ]] || complain "$path: $(stat -c '%u %a' "$path")"
  for words in MEMBER MEMBER_B OUTSIDER; do
    local -n user=$words
    run "${user[@]}" stat "$path"
    [[ $status == 1 && $output == *'Permission denied'* ]] || complain "$words reaches it"
    run -126 "${user[@]}" "${executing[@]}" "$path"
    # Others can't reach it through the process that holds the lease either.
    run "${user[@]}" stat "/proc/$STARTED_PID/root$path"
    expect_status 1
  done
  # Another user can't reach the lease's namespace through the process that holds it.
  run -126 outsider "${executing[@]}" "/proc/$STARTED_PID/cwd/root/suid"
  # On the host the set-user-id bit has no effect even for the member, because the file belongs to a foreign namespace.
  run member "${executing[@]}" "/proc/$STARTED_PID/cwd/root/suid"
  expect_not_in_output euid=0
  kill_started KILL
}

@test "U3: the ranges of leases do not overlap, within a member and between members" {
  local starts
  OUT=ranges-a start_attack MEMBER ranges overlay:deb 10
  OUT=ranges-b start_attack MEMBER_B ranges overlay:deb 10
  wait_until 60 grep -q all "$SCRATCH/ranges-a" && wait_until 60 grep -q all "$SCRATCH/ranges-b" ||
    complain "$(cat "$SCRATCH"/ranges-*.err)"
  # In automatic mode the first id of the range is not mapped.
  starts=$(awk '$2 == 65535 { print $1 - 1 }' "$SCRATCH/ranges-a" "$SCRATCH/ranges-b")
  [[ $(sort -u <<<"$starts" | wc -l) == 20 ]] || complain "ranges: $starts"
  [[ -z $(awk '$1 % 65536 || $1 < 1073741824 + 4096 * 65536 || $1 >= 1073741824 + 16384 * 65536' <<<"$starts") ]] ||
    complain "ranges: $starts"
  for pid in "${STARTED[@]}"; do kill -KILL "$pid"; done
}

@test "U3: a range whose lock its user has released is not given to another user" {
  local base number
  start_attack MEMBER unlocked overlay:deb
  wait_until 20 test -s "$SCRATCH/out"
  read -r _ base number <"$SCRATCH/out"
  [[ $number == 65535 ]]
  OUT=ranges start_attack MEMBER_B ranges overlay:deb 40
  wait_until 120 grep -q all "$SCRATCH/ranges" || complain "$(cat "$SCRATCH/ranges.err")"
  refute grep -q "^$base " "$SCRATCH/ranges"
  for number in "${STARTED[@]}"; do kill -KILL "$number"; done
}

@test "U3: a member can't choose ids other than those of the template's files" {
  local template
  for template in overlay:deb btrfs:deb; do
    is_refused attack_as MEMBER foreign_ranges "$template" 0 1 65536 "$USER_A_UID" "$USER_B_UID" "$SUBORDINATE_BASE" \
      1342177280 1073741824 4294901759 4294967295
  done
}

@test "O2: if a template's files belong to a user's range, nobody else gets its ids" {
  local layer
  ctl template create owned --from "$WORK/tree-root-small"
  refresh_owned 0
  layer=$(find "$MAIN/templates/owned/layers" -mindepth 1 -maxdepth 1)
  chown -R --no-dereference "$SUBORDINATE_BASE:$SUBORDINATE_BASE" "$layer"
  is_refused attack_as MEMBER_B foreign_ranges overlay:owned "$SUBORDINATE_BASE"
  isolate_refuses 'not registered' -- member_b "$ISOLATE" -q -z overlay:owned -u "$SUBORDINATE_BASE" true
  # Root can't register the range for all members.
  isolatectl_refuses "belong to $USER_A" -- ctl pool range overlay:owned "$SUBORDINATE_BASE"
  # The user to whom /etc/subuid and /etc/subgid give the range may use it.
  succeeds in_words MEMBER call org.isolate.Manager.Lease \
    "{\"template\": \"overlay:owned\", \"uidBase\": $SUBORDINATE_BASE, \"gidBase\": $SUBORDINATE_BASE}"
  [[ $(jq -c .uidMap <<<"$output") == "[[0,$SUBORDINATE_BASE,65536]]" ]] || complain "ids inside"
  # Root can't register ranges with ids of the host, or ranges that isolate lends.
  for base in 0 1000 60000 1073741824 1342177280 2147418112 4294967295 x; do
    isolatectl_refuses '' -- ctl pool range overlay:owned "$base"
  done
  succeeds ctl pool range overlay:owned
  expect_output none
  succeeds ctl pool range overlay:owned 700000000 700065536
  succeeds ctl pool range overlay:owned --json
  [[ $(jq -c . <<<"$output") == '{"uid":700000000,"gid":700065536}' ]] || complain "registered"
  isolate_refuses 'belongs to' -- member_b "$ISOLATE" -q -z overlay:owned -u 700000000 -g 700065536 true
  wait_until 60 owned_is_removed || complain "$(ctl template remove overlay:owned 2>&1)"
}
refresh_owned() { here "$ISOLATE" --store "$MAIN" -q -r overlay:owned "$1"; }
owned_is_removed() { ctl template remove overlay:owned 2>/dev/null; }

@test "D9: a lease lasts while a child of its client holds it, and nobody else gets the clone" {
  local clone pid
  start_attack MEMBER inherited overlay:deb
  end_of_started
  wait_until 20 test -s "$SCRATCH/out"
  read -r clone pid <"$SCRATCH/out"
  STARTED+=("$pid")
  refresh overlay "$SIZE"
  overlay_is_leased 1 || complain "the clone is not leased: $(ctl pool status overlay:deb --json)"
  [[ -d $MAIN/clones/$clone ]]
  remember_log
  kill -KILL "$pid"
  wait_until 20 log_has "reaped $clone" || complain "not reaped: $(log_since)"
}

@test "D1: a user outside the group gets no answer, even if the socket's mode lets them connect" {
  gets_through attack_as HERE past_the_socket overlay:deb "$USER_B_UID" "$GROUP_GID"
  is_refused attack_as HERE past_the_socket overlay:deb "$USER_B_UID"
  is_refused attack_as HERE past_the_socket overlay:deb "$USER_B_UID" "$((GROUP_GID + 1))" "$USER_A_GID" 65534
  run --separate-stderr in_words OUTSIDER call org.varlink.service.GetInfo
  expect_status 3
  isolate_refuses 'not a member' -- "${OUTSIDER[@]/--clear-groups/--groups=$((GROUP_GID + 1))}" \
    "$ISOLATE" -q -z overlay:deb true
}

@test "a caller in their own user namespace or chroot is refused" {
  is_refused attack_as MEMBER foreign_namespace overlay:deb
  run --separate-stderr in_words HERE chroot "$STORES/tools" "$USER_A_UID" "$USER_A_GID" "$GROUP_GID" \
    org.isolate.Manager.Lease '{"template": "overlay:deb"}'
  [[ $status == 1 && $stderr == *chroot* ]] || complain "in a chroot"
  # Control: from the host's root the same request gets a lease.
  succeeds in_words HERE chroot / "$USER_A_UID" "$USER_A_GID" "$GROUP_GID" \
    org.isolate.Manager.Lease '{"template": "overlay:deb"}'
}

@test "F2: a guest has no descriptor and no socket of the daemon" {
  succeeds run_in overlay sh -c 'ls /proc/self/fd /proc/1/fd | tr "\n" " "; ls -d /run/isolate 2>&1; cat /proc/net/unix'
  expect_not_in_output org.isolate
  expect_in_output 'cannot access'
  [[ $output == '/proc/'*'/fd:'*' 0 1 2 '* ]] || complain "the guest has other descriptors"
  succeeds run_in overlay sh -c 'for process in /proc/[0-9]*; do ls -l "$process/fd"; done 2>/dev/null | grep -c ns: ||:'
  expect_output 0
}

@test "D4: members do not see other users' leases, and only root sets sizes" {
  start_member_guest
  succeeds in_words MEMBER_B call org.isolate.Manager.ListLeases
  [[ $(jq '.leases | length' <<<"$output") == 0 ]] || complain "another user's lease is listed"
  succeeds in_words MEMBER call org.isolate.Manager.ListLeases
  [[ $(jq -r '.leases[].lease' <<<"$output") == "$CLONE" ]] || complain "the user's own lease is not listed"
  succeeds in_words HERE call org.isolate.Manager.ListLeases
  [[ $(jq -r '.leases[].lease' <<<"$output") == "$CLONE" ]] || complain "root does not see the lease"
  kill_started TERM
  is_refused attack_as MEMBER requests_of_root overlay:deb
  expect_in_output org.isolate.Manager.PermissionDenied
  is_refused attack_as HERE lease_of_root overlay:deb
  expect_in_output org.isolate.Manager.PermissionDenied
}

@test "D12: a member can't replace the socket, the lock or the state" {
  local number
  # Runs give the member ranges. The files of these must be out of reach afterwards.
  for number in 1 2; do succeeds run_in overlay true; done
  is_refused attack_as MEMBER squat overlay:deb
}

@test "F6: the daemon has as many descriptors after 200 leases and 200 errors as before" {
  local before after
  wait_until 30 daemon_has_no_children
  before=$(descriptors_of_daemon)
  words_of_tool daemon_load
  succeeds member "${TOOL[@]}" leases overlay:deb 200
  succeeds member "${TOOL[@]}" errors overlay:deb 200
  wait_until 60 daemon_has_no_children || complain "children: $(children_of_daemon)"
  after=$(descriptors_of_daemon)
  ((after - before <= 5 && before - after <= 5)) || complain "$before before, $after after"
  expect_same_daemon
}
