# variants: user-bwrap root-lxc root-native root-warm: each identity and each engine once, as no test depends on the pair
# other variants: root-bwrap user-lxc user-native user-warm
# builds: release
# Ids and rights: which ids a guest can take, on this machine and on its disks.

load helpers
load attacks

setup_file() { place_attacks; }
teardown_file() { remove_attacks; }

@test "U2: a guest with a single id can't drop its groups" {
  # Members of a group could otherwise open a file that denies access to the group but allows it to others.
  if [[ $IDENTITY == root ]]; then
    succeeds with_attacks cat /proc/self/setgroups
    expect_output allow
    return
  fi
  succeeds isolate -q --userns=single -t "$TREE" cat /proc/self/setgroups
  expect_output deny
  # setpriv exits with status 127 if it is not permitted.
  run -127 --separate-stderr isolate -q --userns=single -t "$TREE" setpriv --clear-groups true
}

@test "U2: the map is written before the command runs, and can't be written again" {
  local options
  for options in '' '--userns=private' '--cap-add ALL'; do
    # shellcheck disable=SC2086
    succeeds with_attacks $options sh -c 'id -u; wc -l </proc/self/uid_map; for map in uid_map gid_map setgroups; do
      echo "0 0 1" >/proc/self/$map; echo deny >/proc/self/$map; done 2>/dev/null; id -u'
    [[ ${lines[0]} == 0 && ${lines[1]} -gt 0 && ${lines[-1]} == 0 ]] || complain "map with '$options'"
  done
}

@test "U2: the guest does not have the caller's groups" {
  if [[ $IDENTITY != root ]]; then
    start_guest
    [[ -z $(sed -n 's/^Groups:\s*//p' "/proc/$GUEST_PID/status" | tr -d ' ' | grep -v "^$CALLER_GID\$") ]]
    end_guest
    return
  fi
  # Root with two groups that have files of their own.
  setpriv --groups 4,27 "${CALLER[@]:0:1}" -i "$ISOLATE" --store "$STORE" -q -z debian sleep "$MARK" \
    </dev/null >/dev/null 2>&1 3>&- &
  STARTED_PID=$!
  STARTED+=("$STARTED_PID")
  wait_until 10 guest_is_up
  [[ -z $(sed -n 's/^Groups:\s*//p' "/proc/$GUEST_PID/status" | tr -d ' \t') ]] || complain "it has the caller's groups"
  end_guest
}

@test "U3: two runs of root have disjoint ranges of ids" {
  if [[ $IDENTITY != root ]]; then
    # All runs of a user share the user's one range, so they do not need to be protected from each other.
    note "a user's runs share one range; /etc/subuid gives two users two ranges"
    [[ $(grep -c "^$USER_A:" /etc/subuid) == 1 ]]
    return
  fi
  start_guest
  local first=$GUEST_PID first_map second_map
  first_map=$(awk '{print $2, $2 + $3 - 1}' "/proc/$first/uid_map")
  "${CALLER[@]}" "$ISOLATE" --store "$STORE" -q -z debian sleep "${MARK}9" </dev/null >/dev/null 2>&1 3>&- &
  STARTED+=("$!")
  wait_until 10 a_process_with "^sleep ${MARK}9"
  second_map=$(awk '{print $2, $2 + $3 - 1}' "/proc/$(processes_with "^sleep ${MARK}9")/uid_map")
  [[ ${first_map% *} -gt ${second_map#* } || ${first_map#* } -lt ${second_map% *} ]] ||
    complain "$first_map and $second_map"
  # So neither could signal, trace or read the other, even if it could see it.
  [[ $(stat -c %u "/proc/$first") != "$(stat -c %u "/proc/$(processes_with "^sleep ${MARK}9")")" ]]
  kill -TERM "${STARTED[-1]}"
  end_guest
}

@test "U4: files made through a mapped mount have an owner on the host that outlives the run" {
  mkdir "$SCRATCH/bound"
  chown "$CALLER_UID:$CALLER_GID" "$SCRATCH/bound"
  succeeds with_attacks -d "$SCRATCH/bound:/srv" sh -c 'touch /srv/root; touch /srv/other
    chown 1000 /srv/other 2>/dev/null; true'
  [[ $(stat -c %u "$SCRATCH/bound/root") == "$CALLER_UID" ]] || complain "root's file"
  # The owner must not be an id of a range that belonged only to this run.
  local owner
  owner=$(stat -c %u "$SCRATCH/bound/other")
  [[ $owner -lt 1073741824 ]] || complain "an owner in a range of this run only: $owner"
}

@test "C1: no capability is inheritable or ambient, for root and for another user inside" {
  local options
  for options in '' '--cap-add ALL' '--cap-add SYS_ADMIN,NET_ADMIN'; do
    # shellcheck disable=SC2086
    succeeds with_attacks $options sh -c 'grep -E "^Cap(Inh|Amb):" /proc/self/status
      setpriv --reuid 1000 --regid 1000 --clear-groups grep -E "^Cap(Inh|Amb|Prm|Eff):" /proc/self/status'
    [[ $(grep -c $'\t0000000000000000$' <<<"$output") == 6 ]] || complain "capabilities with '$options'"
  done
}

@test "C1: capabilities are effective in the guest's own namespace only" {
  # The host's network, mounts and processes belong to another user namespace.
  local options
  for options in '' '--cap-add ALL' '-n --cap-add ALL'; do
    # shellcheck disable=SC2086
    run --separate-stderr with_attacks $options sh -c 'readlink /proc/self/ns/user
      perl -e "syscall(170, q(attacked), 8) == 0 and print qq(named\n)"; true'
    [[ ${lines[0]} != "$(readlink /proc/self/ns/user)" ]] || complain "the user namespace is the host's"
  done
  [[ $(hostname) != attacked ]]
}

@test "C2 control: set-user-id programs are effective outside" {
  cp /usr/bin/id "$SCRATCH/id"
  chown root: "$SCRATCH/id"
  chmod 4755 "$SCRATCH/id"
  run setpriv "--reuid=$USER_B_UID" "--regid=$USER_B_GID" --clear-groups "$SCRATCH/id" -u
  expect_output 0
}

@test "C2: set-user-id programs and file capabilities have no effect inside" {
  # shellcheck disable=SC2016
  succeeds with_attacks sh -c 'cp /usr/bin/id /usr/local/bin/id; chmod 4755 /usr/local/bin/id
    perl -e "
      my (\$path, \$name) = qw(/usr/local/bin/grep security.capability);
      system(qw(cp /bin/grep /usr/local/bin/grep)); my \$value = pack(q(V5), 0x02000001, 0xffffffff, 0, 0xffffffff, 0);
      syscall(188, \$path, \$name, \$value, 20, 0)"
    setpriv --reuid 1000 --regid 1000 --clear-groups /usr/local/bin/id -u
    setpriv --reuid 1000 --regid 1000 --clear-groups /usr/local/bin/grep CapEff /proc/self/status'
  [[ ${lines[0]} == 1000 && ${lines[-1]} == *0000000000000000 ]] || complain "privileges were gained"
  is_refused with_attacks /mnt/attack set-user-id
  is_refused with_attacks --seccomp=none --cap-add ALL /mnt/attack set-user-id
}

@test "C3: no program of isolate is set-user-id or has capabilities" {
  [[ -z $(find "$BINDIR" -type f -perm /6000) ]]
  if command -v getcap >/dev/null; then [[ -z $(getcap -r "$BINDIR") ]]; fi
}

@test "C3: an unusual umask, directory, limit or signal mask of the caller does not change how the guest is confined" {
  mkdir "$SCRATCH/gone"
  chown "$CALLER_UID" "$SCRATCH/gone"
  succeeds as_caller bash -c 'umask 0077; cd "$1" && rmdir "$1"; ulimit -s 256; trap "" TERM INT CHLD PIPE
    exec "$2" --store "$3" -q -z debian sh -c "grep -E ^Seccomp: /proc/self/status; pwd; id -u"' \
    bash "$SCRATCH/gone" "$ISOLATE" "$STORE"
  [[ ${lines[0]} =~ 2$ && ${lines[1]} == / && ${lines[2]} == 0 ]] || complain "not confined as usual"
  # With umask 0777 not even the owner may read new files. This must apply to the command's files, not to isolate's.
  succeeds as_caller bash -c 'umask 0777; exec "$1" --store "$2" -q -z debian sh -c "umask; : >/new; stat -c %a /new"' \
    bash "$ISOLATE" "$STORE"
  [[ ${lines[0]} == 0777 && ${lines[1]} == 0 ]] || complain "umask"
}

@test "C5: the guest can't trace pid 1, read its memory or take its descriptors" {
  local probe options
  for probe in trace-init steal-descriptor init-descriptors init-memory; do
    is_refused with_attacks /mnt/attack "$probe"
    is_refused with_attacks --seccomp=none /mnt/attack "$probe"
  done
}

@test "Z2: the guest's signals to pid 1 have no effect, and if pid 1 ends, only the guest ends" {
  is_refused with_attacks /mnt/attack kill-init
  # With the right to trace, the guest can harm only itself: isolate reports its end and leaves nothing behind.
  run --separate-stderr with_attacks --cap-add ALL --seccomp=none sh -c '
    perl -e "syscall(101, 0x4206, 1, 0, 0); syscall(101, 0x4207, 1, 0, 0); sleep 1; kill 9, 1"; echo "alive"'
  wait_until 5 store_is_clean "$STORE" || complain "left behind"
  in_clone true
}
