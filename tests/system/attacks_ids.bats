# variants: user-bwrap root-lxc: each identity and each engine once; nothing here hangs on a pair of them
# other variants: root-bwrap user-lxc
# builds: release
# Ids and rights: whom a guest can be, on this machine and on its disks.

load helpers
load attacks

setup_file() { place_attacks; }
teardown_file() { remove_attacks; }

@test "U2: with one id only, groups can't be given up" {
  # A file that a group may not read but others may would else be open to its members.
  if [[ $IDENTITY == root ]]; then
    succeeds with_attacks cat /proc/self/setgroups
    expect_output allow
    return
  fi
  succeeds isolate -q --userns=single -t "$TREE" cat /proc/self/setgroups
  expect_output deny
  # 127 is what setpriv ends with when it may not.
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

@test "U2: groups of the caller are not the guest's" {
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
  [[ -z $(sed -n 's/^Groups:\s*//p' "/proc/$GUEST_PID/status" | tr -d ' \t') ]] || complain "groups"
  end_guest
}

@test "U3: two runs of root have ranges of ids that have nothing in common" {
  if [[ $IDENTITY != root ]]; then
    # All runs of a user have his one range: he is one and the same to all of them.
    note "a user's runs share his range; two users have two, by /etc/subuid"
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
  # So neither can signal, trace or read the other, had it a way to see it.
  [[ $(stat -c %u "/proc/$first") != "$(stat -c %u "/proc/$(processes_with "^sleep ${MARK}9")")" ]]
  kill -TERM "${STARTED[-1]}"
  end_guest
}

@test "U4: files that are made through a mapped mount have an owner on the host afterwards" {
  mkdir "$SCRATCH/bound"
  chown "$CALLER_UID:$CALLER_GID" "$SCRATCH/bound"
  succeeds with_attacks -d "$SCRATCH/bound:/srv" sh -c 'touch /srv/root; touch /srv/other
    chown 1000 /srv/other 2>/dev/null; true'
  [[ $(stat -c %u "$SCRATCH/bound/root") == "$CALLER_UID" ]] || complain "root's file"
  # Nobody of a range that was only this run's.
  local owner
  owner=$(stat -c %u "$SCRATCH/bound/other")
  [[ $owner -lt 1073741824 ]] || complain "an owner of a passing range: $owner"
}

@test "C1: nothing is inheritable or ambient, for root and for another user inside" {
  local options
  for options in '' '--cap-add ALL' '--cap-add SYS_ADMIN,NET_ADMIN'; do
    # shellcheck disable=SC2086
    succeeds with_attacks $options sh -c 'grep -E "^Cap(Inh|Amb):" /proc/self/status
      setpriv --reuid 1000 --regid 1000 --clear-groups grep -E "^Cap(Inh|Amb|Prm|Eff):" /proc/self/status'
    [[ $(grep -c $'\t0000000000000000$' <<<"$output") == 6 ]] || complain "capabilities with '$options'"
  done
}

@test "C1: capabilities count in the guest's own namespace only" {
  # The owner of the namespace that the host's network, mounts and processes belong to is another.
  local options
  for options in '' '--cap-add ALL' '-n --cap-add ALL'; do
    # shellcheck disable=SC2086
    run --separate-stderr with_attacks $options sh -c 'readlink /proc/self/ns/user
      perl -e "syscall(170, q(attacked), 8) == 0 and print qq(named\n)"; true'
    [[ ${lines[0]} != "$(readlink /proc/self/ns/user)" ]] || complain "the user namespace is the host's"
  done
  [[ $(hostname) != attacked ]]
}

@test "C2 control: set-user-id programs have effect outside" {
  cp /usr/bin/id "$SCRATCH/id"
  chown root: "$SCRATCH/id"
  chmod 4755 "$SCRATCH/id"
  run setpriv "--reuid=$USER_B_UID" "--regid=$USER_B_GID" --clear-groups "$SCRATCH/id" -u
  expect_output 0
}

@test "C2: set-user-id programs and file capabilities have none inside" {
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

@test "C3: a strange umask, directory, limit or mask of signals of the caller changes nothing in what is confined" {
  mkdir "$SCRATCH/gone"
  chown "$CALLER_UID" "$SCRATCH/gone"
  succeeds as_caller bash -c 'umask 0077; cd "$1" && rmdir "$1"; ulimit -s 256; trap "" TERM INT CHLD PIPE
    exec "$2" --store "$3" -q -z debian sh -c "grep -E ^Seccomp: /proc/self/status; pwd; id -u"' \
    bash "$SCRATCH/gone" "$ISOLATE" "$STORE"
  [[ ${lines[0]} =~ 2$ && ${lines[1]} == / && ${lines[2]} == 0 ]] || complain "what is confined"
  # Nobody, not even he himself, is to read what he makes: this holds for the command, not for isolate.
  succeeds as_caller bash -c 'umask 0777; exec "$1" --store "$2" -q -z debian sh -c "umask; : >/new; stat -c %a /new"' \
    bash "$ISOLATE" "$STORE"
  [[ ${lines[0]} == 0777 && ${lines[1]} == 0 ]] || complain "umask"
}

@test "C5: pid 1 gives nothing away and takes nothing from the guest" {
  local probe options
  for probe in trace-init steal-descriptor init-descriptors init-memory; do
    is_refused with_attacks /mnt/attack "$probe"
    is_refused with_attacks --seccomp=none /mnt/attack "$probe"
  done
}

@test "Z2: signals of the guest to pid 1 end nothing, and its end is the guest's alone" {
  is_refused with_attacks /mnt/attack kill-init
  # With the right to trace, only the guest can suffer: isolate tells of the end and leaves nothing.
  run --separate-stderr with_attacks --cap-add ALL --seccomp=none sh -c '
    perl -e "syscall(101, 0x4206, 1, 0, 0); syscall(101, 0x4207, 1, 0, 0); sleep 1; kill 9, 1"; echo "alive"'
  wait_until 5 store_is_clean "$STORE" || complain "left behind"
  in_clone true
}
