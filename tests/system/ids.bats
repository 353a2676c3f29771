# variants: root-bwrap user-bwrap: the identities differ in ids and mounts, the engine does not matter
# other variants: root-native user-native root-warm user-warm
# Ids inside: 65536 of them, a root without rights outside, and ranges that isolate refuses.

load helpers

# Starts a sleeping guest and sets GUEST_PID to its pid on the host.
start_guest() {
  start_isolate -q -z debian "$@" sleep "$MARK"
  wait_until 10 guest_is_up || complain "$(cat "$SCRATCH/err")"
}
guest_is_up() { GUEST_PID=$(processes_with "^sleep $MARK"); }
end_guest() {
  kill -TERM "$STARTED_PID"
  wait_until 5 no_process_with "$MARK"
}

# Prints the number of ids in a map file; succeeds if the map contains an id of the host.
ids_in() { awk '{ n += $3 } END { print n + 0 }' "$1"; }
map_holds() { awk -v id="$2" '{ if (id >= $2 && id < $2 + $3) found = 1 } END { exit !found }' "$1"; }

@test "the command is root inside, with no other groups" {
  succeeds in_clone id
  expect_output 'uid=0(root) gid=0(root) groups=0(root)'
}

# An ordinary user's own id is mapped besides the 65536 of their range.
ids_mapped() {
  [[ $IDENTITY == user ]] && echo 65537 || echo 65536
}

@test "65536 ids exist inside, and all of them can own files" {
  succeeds in_clone sh -ec '
    awk "{ n += \$3 } END { print n }" /proc/self/uid_map
    for id in 0 1 33 1000 65534 65535; do touch /f$id; chown $id:$id /f$id; stat -c %u:%g /f$id; done'
  [[ ${lines[0]} == "$(ids_mapped)" ]] || complain "the map does not have $(ids_mapped) ids"
  [[ ${lines[*]:1} == '0:0 1:1 33:33 1000:1000 65534:65534 65535:65535' ]] || complain "owners"
}

@test "an id beyond the range can't own a file" {
  succeeds in_clone sh -c 'touch /f; chown 65537 /f 2>&1 || true; chown 0:70000 /f 2>&1 || true'
  [[ $(grep -c 'Invalid argument' <<<"$output") == 2 ]] || complain "expected EINVAL twice"
}

@test "the command can become a user of the template" {
  succeeds in_clone sh -c 'su -s /bin/sh daemon -c "id -un" 2>&1 || setpriv --reuid 1 --regid 1 --init-groups id -un'
  expect_in_output daemon
}

@test "root inside is not root outside" {
  start_guest
  refute map_holds "/proc/$GUEST_PID/uid_map" 0
  refute map_holds "/proc/$GUEST_PID/gid_map" 0
  [[ $(ids_in "/proc/$GUEST_PID/uid_map") == "$(ids_mapped)" ]]
  if [[ $IDENTITY == user ]]; then
    [[ $(stat -c %u "/proc/$GUEST_PID") == "$CALLER_UID" ]]
    grep -Eq "^ *0 +$CALLER_UID +1\$" "/proc/$GUEST_PID/uid_map"
  else
    # No user of this machine is in the range.
    local id
    while IFS=: read -r _ _ id _; do refute map_holds "/proc/$GUEST_PID/uid_map" "$id"; done </etc/passwd
  fi
  end_guest
}

@test "guests of root have no supplementary groups of root" {
  start_guest
  local group
  for group in $(sed -n 's/^Groups://p' "/proc/$GUEST_PID/status"); do
    [[ $group != 0 ]]
  done
  end_guest
}

@test "--userns=private leaves the caller out of the map" {
  start_guest --userns=private
  refute map_holds "/proc/$GUEST_PID/uid_map" "$CALLER_UID"
  refute map_holds "/proc/$GUEST_PID/gid_map" "$CALLER_GID"
  [[ $(stat -c %u "/proc/$GUEST_PID") != "$CALLER_UID" ]]
  end_guest
  succeeds in_clone --userns=private \
    sh -c 'id -u; touch /x && stat -c %u /x; echo x >>/etc/passwd && stat -c %u /etc/passwd'
  expect_output $'0\n0\n0'
}

@test "--userns=single maps only the caller's own id, and is refused for root" {
  if [[ $IDENTITY == root ]]; then
    isolate_refuses userns=single -- isolate --userns=single -t "$TREE" true
    return
  fi
  succeeds isolate -q --userns=single -t "$TREE" sh -c 'id -u; awk "{ n += \$3 } END { print n }" /proc/self/uid_map'
  expect_output $'0\n1'
}

@test "-u and -g set the base of the range" {
  local base=$SUBORDINATE_BASE root=(-z debian)
  if [[ $IDENTITY == root ]]; then
    base=700000000
  else
    # The files of a user's templates belong to the user, so use a directory that belongs to the user's range.
    make_tree_of_range "$SCRATCH/tree"
    root=(-t "$SCRATCH/tree")
  fi
  start_isolate -q "${root[@]}" -u "$base" -g "$base" sleep "$MARK"
  wait_until 10 guest_is_up || complain "$(cat "$SCRATCH/err")"
  grep -Eq "^ *0 +$base +65536\$" "/proc/$GUEST_PID/uid_map"
  grep -Eq "^ *0 +$base +65536\$" "/proc/$GUEST_PID/gid_map"
  end_guest
  succeeds isolate -q "${root[@]}" -u "$base" sh -c 'touch /made && stat -c %u:%g / /made /etc/shadow'
  expect_output $'0:0\n0:0\n0:42'
}

@test "-u and -g refuse words that are not numbers" {
  local word option
  for word in '' -1 010 1e6 ' 1000000' +1000000 1000000x 0x100000 1000000: 1000000.0 \
    99999999999999999999 $'1000000\n'; do
    for option in -u -g; do
      isolate_refuses -- isolate -z debian "$option" "$word" true
    done
  done
}

@test "-u and -g refuse ranges that contain root or a user of this machine, or end beyond the last id" {
  local base option
  for base in 0 1 4294967295 4294967294 4294901761 4294901760 4294967296 1000 "$USER_B_UID" 60000; do
    for option in -u -g; do
      isolate_refuses -- isolate -z debian "$option" "$base" true
    done
  done
}

@test "an ordinary user may ask only for their own ids" {
  if [[ $IDENTITY == root ]]; then
    # Root may ask for any free range, and no user of this machine is in this one.
    succeeds isolate -q -z debian -u 700000000 -g 700000000 id -u
    expect_output 0
  else
    isolate_refuses -- isolate -z debian -u 700000000 -g 700000000 true
    isolate_refuses -- isolate -z debian -u $((SUBORDINATE_BASE + 1)) true
    isolate_refuses -- isolate -z debian -u $((SUBORDINATE_BASE - 1)) true
    isolate_refuses -- isolate -z debian -g $((SUBORDINATE_BASE + 1)) true
  fi
}

@test "a guest can't take a file of another user on the host" {
  echo secret >"$SCRATCH/file"
  chown "$USER_B" "$SCRATCH/file"
  chmod 0600 "$SCRATCH/file"
  if [[ $IDENTITY == user ]]; then
    run --separate-stderr in_clone -d "$SCRATCH:/s" \
      sh -c 'cat /s/file; echo spoilt >/s/file; chown 0 /s/file; chmod 4777 /s/file'
    expect_not_in_output secret
    [[ $(cat "$SCRATCH/file") == secret && $(stat -c '%U %a' "$SCRATCH/file") == "$USER_B 600" ]]
  else
    # Root's guests may change the file, as root may. Its owner inside is still another user.
    succeeds in_clone -d "$SCRATCH:/s" stat -c %u /s /s/file
    expect_output $'0\n'"$USER_B_UID"
  fi
}
