# variants: root-bwrap user-lxc user-native root-warm: each identity and each engine once, as no test depends on the pair
# other variants: user-bwrap root-lxc root-native user-warm
# builds: release
# Mounts: what is read-only stays read-only, nothing outside the root can be reached, and what a guest leaves behind
# harms nobody.

load helpers
load attacks

setup_file() { place_attacks; }
teardown_file() { remove_attacks; }

setup() {
  common_setup
  mkdir "$SCRATCH/victim" "$SCRATCH/source"
  echo untouched >"$SCRATCH/victim/file"
  echo bound >"$SCRATCH/source/file"
  chown -R "$CALLER_UID:$CALLER_GID" "$SCRATCH"
}
state_of_victim() { find "$SCRATCH/victim" -printf '%p %y %m %U %G %s %C@\n' && cat "$SCRATCH/victim/file"; }

@test "M3: a bind's target that is swapped for a link while runs start leads nowhere outside" {
  copy_of_tree "$SCRATCH/tree"
  mkdir "$SCRATCH/tree/opt/real"
  chown "$CALLER_UID:$CALLER_GID" "$SCRATCH/tree/opt/real"
  ln -s "../../../../../../../..$SCRATCH/victim" "$SCRATCH/tree/opt/link"
  chown -h "$CALLER_UID:$CALLER_GID" "$SCRATCH/tree/opt/link" "$SCRATCH/tree/opt"
  local before until runs=0 mounted=0 seconds
  seconds=$(unless_long 3 8)
  before=$(state_of_victim)
  # A guest on the same root swaps the target while other guests start.
  start_isolate -q -t "$SCRATCH/tree" -d "$ATTACKS:/mnt:ro" /mnt/attack exchange /opt/real /opt/link "$((seconds + 2))"
  sleep 0.5
  until=$((SECONDS + seconds))
  while ((SECONDS < until)); do
    run --separate-stderr isolate -q -t "$SCRATCH/tree" -d "$SCRATCH/source:/opt/real/made" \
      -d "$SCRATCH/source/file:/opt/real/made-file" sh -c 'echo spoilt >/opt/real/new; echo spoilt >/opt/link/new
        echo spoilt >/opt/real/file; cat /opt/real/made/file /opt/link/made/file 2>/dev/null; true'
    [[ $status == 0 || $status == 125 ]] || complain "status"
    runs=$((runs + 1))
    [[ $output != *bound* ]] || mounted=$((mounted + 1))
    [[ $(state_of_victim) == "$before" ]] || complain "the victim has changed, at run $runs"
  done
  end_of_started
  note "$runs starts, $mounted of them with the bind in place; $(cat "$SCRATCH/out")"
  grep -q '^succeeded: [0-9]\{4,\} exchanges' "$SCRATCH/out" || complain "too few exchanges"
}

@test "M3: a tree in which /etc, /dev and /proc are swapped for links leads nowhere outside" {
  copy_of_tree "$SCRATCH/tree"
  mkdir -p "$SCRATCH/victim/pts"
  local name before
  for name in dev proc etc; do
    ln -s "../../../../../../../..$SCRATCH/victim" "$SCRATCH/tree/$name-link"
  done
  before=$(state_of_victim)
  # A process of the host swaps them, because a guest could not swap a directory on which something is mounted.
  for name in dev proc etc; do
    start "$ATTACKS/attack" exchange "$SCRATCH/tree/$name" "$SCRATCH/tree/$name-link" 3
    local until=$((SECONDS + 2))
    while ((SECONDS < until)); do
      run --separate-stderr isolate -q -n -t "$SCRATCH/tree" -d "$SCRATCH/source/file:/etc/made" \
        sh -c 'echo x >/etc/new'
      [[ $(state_of_victim) == "$before" ]] || complain "the victim has changed, with /$name"
    done
    end_of_started
  done
}

@test "M6 control: root inside plain bwrap can make a read-only bind writable" {
  if [[ $IDENTITY == root ]]; then
    gets_through bwrap --bind "$TREE" / --tmpfs /tmp --dev /dev --ro-bind "$SCRATCH/source" /srv \
      --ro-bind "$ATTACKS" /mnt --cap-add ALL -- /mnt/attack writable /srv
  else
    note "for a user the kernel locks the flags; the next test is about isolate"
    run as_caller bwrap --bind "$TREE" / --tmpfs /tmp --dev /dev --ro-bind "$SCRATCH/source" /srv \
      --ro-bind "$ATTACKS" /mnt --cap-add ALL -- /mnt/attack writable /srv
  fi
  rm -f "$SCRATCH/source/made-by-attack"
}

@test "M6: neither old nor new mount calls make a read-only mount writable" {
  local options
  for options in '' '--cap-add ALL' '--cap-add ALL --userns=private' '--cap-add ALL --seccomp=none'; do
    # shellcheck disable=SC2086
    is_refused with_attacks $options --read-only -d "$SCRATCH/source:/srv:ro" /mnt/attack writable /srv /mnt / /usr
    [[ ! -e $SCRATCH/source/made-by-attack && ! -e $ATTACKS/made-by-attack ]]
  done
}

@test "O1 control: without a filter a guest can take a lease on a file that is bound read-only" {
  gets_through with_attacks -d "$SCRATCH/source:/srv:ro" --seccomp=none /mnt/attack file-lease /srv/file
  gets_through with_attacks -d "$SCRATCH/source:/srv:ro" --seccomp=none /mnt/attack directory-events /srv
}

@test "O1: with any filter a guest can't take a lease on a file, so it can't make others wait who open the file" {
  local options
  echo '{"defaultAction":"SCMP_ACT_ALLOW"}' >"$SCRATCH/profile.json"
  for options in '' '--seccomp=tty' "--seccomp=$SCRATCH/profile.json" '-e chroot'; do
    # shellcheck disable=SC2086
    is_refused_with EPERM with_attacks -d "$SCRATCH/source:/srv:ro" $options /mnt/attack file-lease /srv/file
    # shellcheck disable=SC2086
    is_refused_with EPERM with_attacks -d "$SCRATCH/source:/srv:ro" $options /mnt/attack directory-events /srv
  done
}

@test "M8: other users of the host can't execute set-user-id files that a guest makes" {
  # shellcheck disable=SC2016
  run --separate-stderr isolate --keep -z debian \
    sh -c 'cp /usr/bin/id /root/id; chmod 4755 /root/id /root; chmod 755 /root'
  local kept
  kept=$(find "$STORE/clones" -path '*/root/id' -perm -4000)
  [[ -n $kept ]] || complain "no set-user-id file was kept"
  # Let sh execute it, because setpriv still has root's rights when it calls execve.
  local stranger=(setpriv "--reuid=$USER_B_UID" "--regid=$USER_B_GID" --clear-groups -- sh -c 'exec "$@"' sh)
  run "${stranger[@]}" "$kept" -u
  local reached=$status
  # Control: in a place that everybody can reach, the same file gives the rights of its owner.
  mkdir -m 0755 "$SCRATCH/open"
  cp -a "$kept" "$SCRATCH/open/id"
  run "${stranger[@]}" "$SCRATCH/open/id" -u
  local owner
  owner=$(stat -c %u "$kept")
  isolatectl gc --kept
  [[ $output == "$owner" ]] || complain "the control does not run as the owner"
  [[ $reached == 126 ]] || complain "another user has executed it: $reached"
}

@test "M8: isolate refuses a store that other users may enter" {
  mkdir "$SCRATCH/store"
  chown "$CALLER_UID:$CALLER_GID" "$SCRATCH/store"
  cp -a "$STORE/." "$SCRATCH/store/"
  rm -rf "$SCRATCH"/store/clones/* "$SCRATCH"/store/pools/*/leased/*
  local mode
  chmod 0700 "$SCRATCH/store"
  succeeds as_caller "$ISOLATE" --store "$SCRATCH/store" -q -z debian true
  for mode in 0755 0711 0710 0701 0777; do
    chmod "$mode" "$SCRATCH/store"
    isolate_refuses "$SCRATCH/store" -- as_caller "$ISOLATE" --store "$SCRATCH/store" -z debian true
  done
}

@test "M9: mounts that a privileged guest makes are not visible outside, even with the new calls" {
  local before
  before=$(mounts)
  mkfifo -m 0666 "$SCRATCH/go"
  start_isolate -q -z debian --cap-add SYS_ADMIN -d "$SCRATCH:/srv" \
    sh -c 'mount -t tmpfs x /srv/source; mount --bind /etc /srv/victim; mount --make-rshared / 2>/dev/null
      mount -t tmpfs y /srv/source; touch /srv/ready; read -r x </srv/go'
  wait_until 10 test -e "$SCRATCH/ready"
  no_new_mounts "$before"
  [[ $(cat "$SCRATCH/source/file") == bound && $(cat "$SCRATCH/victim/file") == untouched ]]
  echo >"$SCRATCH/go"
  end_of_started
}

@test "M11: a guest that doubles its mounts up to the kernel's limit is gone within seconds" {
  local before started
  before=$(mounts)
  run --separate-stderr with_attacks --cap-add SYS_ADMIN /mnt/attack mount-bomb 40
  note "mount bomb: $output"
  [[ $status == 1 && $output == 'refused: ENOSPC'* ]] || complain "expected ENOSPC"
  no_new_mounts "$before"
  started=$SECONDS
  in_clone true
  store_gets_clean
  [[ $((SECONDS - started)) -lt 5 ]] || complain "the next run was slow"
}

@test "M12 control: root of the host can open files by handle" {
  if [[ $IDENTITY == root ]]; then
    gets_through "$ATTACKS/attack" file-handle
  else
    is_refused_with EPERM outside file-handle
  fi
}

@test "M12: a guest can't open files by handle, whatever rights it has inside" {
  local options
  for options in '' '--cap-add DAC_READ_SEARCH' '--cap-add ALL' '--cap-add ALL --seccomp=none' '-n'; do
    # shellcheck disable=SC2086
    is_refused_with EPERM with_attacks $options /mnt/attack file-handle
  done
}

@test "M13: a guest can't make and open a device node, or open a device of the host in /dev" {
  local options
  for options in '' '--cap-add ALL' '--cap-add ALL --userns=private' '--cap-add ALL --seccomp=none'; do
    # shellcheck disable=SC2086
    is_refused with_attacks $options /mnt/attack device-nodes
    # shellcheck disable=SC2086
    is_refused with_attacks $options /mnt/attack device-files
  done
  if [[ $IDENTITY == root ]]; then
    # Control: the nodes work outside.
    gets_through unshare --mount "$ATTACKS/attack" device c:1:5
  fi
}

@test "M13: a device node in a template can't be opened" {
  if [[ $IDENTITY != root ]]; then
    note "only root can make device nodes; a user's template from an archive has none"
    return 0
  fi
  copy_of_tree "$SCRATCH/tree"
  mknod -m 0666 "$SCRATCH/tree/opt/zero" c 1 5
  mknod -m 0666 "$SCRATCH/tree/opt/memory" c 1 1
  gets_through "$ATTACKS/attack" read "$SCRATCH/tree/opt/zero"
  local options
  for options in '' '--read-only' '--cap-add ALL'; do
    # shellcheck disable=SC2086
    is_refused isolate -q $options -t "$SCRATCH/tree" -d "$ATTACKS:/mnt:ro" /mnt/attack read /opt/zero /opt/memory
  done
  isolatectl template create devices --from "$SCRATCH/tree" 2>/dev/null
  is_refused isolate -q -z devices -d "$ATTACKS:/mnt:ro" /mnt/attack read /opt/zero /opt/memory
  isolatectl template remove devices 2>/dev/null
}

# Sets the attributes with which an overlay would redirect a name to another place of its layers.
plant_overlay_attributes() {
  /usr/bin/python3 -I -c '
import os, sys
where, kind = sys.argv[1:]
os.setxattr(where + "/opt", kind + ".overlay.redirect", b"/etc")
os.setxattr(where + "/srv", kind + ".overlay.opaque", b"y")
os.setxattr(where + "/mnt/file", kind + ".overlay.metacopy", b"")
os.setxattr(where + "/mnt/file", kind + ".overlay.redirect", b"/etc/shadow")
os.setxattr(where + "/media", kind + ".overlay.origin", b"x" * 20)
' "$1" "$2"
}

@test "M14: overlay attributes in a template expose no other place" {
  copy_of_tree "$SCRATCH/tree"
  echo own-file >"$SCRATCH/tree/mnt/file"
  chown "$CALLER_UID:$CALLER_GID" "$SCRATCH/tree/mnt/file"
  plant_overlay_attributes "$SCRATCH/tree" user
  if [[ $IDENTITY == root ]]; then plant_overlay_attributes "$SCRATCH/tree" trusted; fi
  run --separate-stderr isolatectl template create planted --from "$SCRATCH/tree"
  if [[ $status == 0 ]]; then
    run --separate-stderr isolate -q -z planted sh -c 'ls -A /opt /srv; cat /mnt/file; echo x >/opt/new; ls /opt'
    expect_not_in_output passwd
    expect_not_in_output 'root:'
    isolatectl template remove planted 2>/dev/null
  fi
  run --separate-stderr isolate -q --read-only -t "$SCRATCH/tree" sh -c 'ls -A /opt; cat /mnt/file'
  expect_not_in_output passwd
  expect_not_in_output 'root:'
}

@test "M14: overlay attributes that a guest sets have no effect, even in an edited template" {
  isolatectl template create planted --from "$TREE-small" 2>/dev/null
  succeeds isolatectl template edit planted -- perl -e '
    for my $kind ("user", "trusted") {
      for (["/opt", "redirect", "/etc"], ["/opt", "metacopy", ""], ["/srv", "opaque", "y"]) {
        my ($path, $name, $value) = ("$_->[0]", "$kind.overlay.$_->[1]", $_->[2]);
        syscall(188, $path, $name, $value, length $value, 0) } }
    my $whiteout = "/media/white/out";
    mkdir "/media/white"; syscall(133, $whiteout, 0020000, 0); exit 0'
  succeeds isolate -q -z planted sh -c 'ls -A /opt /srv; ls /etc/passwd'
  [[ $output != *passwd*passwd* ]] || complain "the redirection was followed"
  expect_in_output /etc/passwd
  isolatectl template remove planted 2>/dev/null
}

@test "M14: other users can't reach the writable layer of a clone" {
  start_guest
  local place
  for place in "$STORE" "$STORE/clones"; do
    [[ $(($(stat -c '0%a' "$place") & 077)) == 0 || $place != "$STORE" ]] || complain "$place is open"
  done
  refute setpriv "--reuid=$USER_B_UID" "--regid=$USER_B_GID" --clear-groups -- ls "$STORE/clones"
  end_guest
}

@test "M15: removing a clone follows no link or mount that the guest left in it" {
  local before way
  before=$(state_of_victim)
  succeeds with_attacks -d "$SCRATCH/victim:/srv/bound" sh -c "
    rm -rf /tmp/* /opt /var/tmp /media 2>/dev/null
    ln -s $SCRATCH/victim /opt; ln -s ../../../../../../../../../..$SCRATCH/victim /media
    ln -s $SCRATCH/victim /var/tmp; mkdir -p /root/a/b/c; ln -s $SCRATCH /root/a/b/c/up
    mkdir -m 000 /root/closed; ln /srv/bound/file /root/hard 2>/dev/null; true"
  wait_until 5 store_is_clean "$STORE"
  [[ $(state_of_victim) == "$before" ]] || complain "the victim has changed"
  # Also with mounts left inside, after the guest was killed.
  start_isolate -q -z debian --cap-add SYS_ADMIN -d "$SCRATCH/victim:/srv/bound" \
    sh -c "mkdir /root/m; mount --rbind /srv/bound /root/m; exec sleep $MARK"
  wait_until 10 a_process_with "^sleep $MARK"
  kill_started KILL
  wait_until 3 no_process_with "$MARK"
  isolatectl gc
  store_gets_clean
  [[ $(state_of_victim) == "$before" ]] || complain "the victim has changed after a kill"
  for way in "$STORE"/clones/*; do [[ ! -e $way ]]; done
}

@test "M16: a template whose name is a link is refused" {
  ln -s "$SCRATCH/victim" "$STORE/templates/planted"
  local status_of
  run --separate-stderr isolate -q -z planted true
  status_of=$status
  rm "$STORE/templates/planted"
  [[ $status_of == 125 ]] || complain "isolate accepted a link as a template"
  one_error_line isolate
}
