# variants: root-bwrap: the daemon serves only root's stores
# Ordinary users of the group `isolate` run clones of root's templates, which the daemon leases to them.

load helpers
load stores
load daemon

SIZE=2

setup_file() { make_daemon "$SIZE"; }
teardown_file() { remove_daemon; }

@test "a member is id 0 inside, in a clone of their own that they can write" {
  local kind
  for kind in overlay btrfs; do
    succeeds run_in "$kind" sh -c 'id -u; id -g; cat /etc/debian_version; touch /new; stat -c %u:%g /new /etc/shadow'
    [[ ${lines[0]} == 0 && ${lines[1]} == 0 && ${lines[2]} == 12.* ]] || complain "$kind: ids or root"
    [[ ${lines[3]} == 0:0 && ${lines[4]} == 0:42 ]] || complain "$kind: owners"
    succeeds run_in "$kind" test ! -e /new
  done
  for kind in overlay btrfs; do settles "$kind" "$SIZE"; done
}

@test "a member can give files to the ids 0 to 65535, which are the owners on disk" {
  local kind clone
  for kind in overlay btrfs; do
    KIND=$kind start_member_guest sh -c 'touch /mine /theirs && chown 65535:65535 /theirs && exec "$@"' sh
    case $kind in
      overlay) clone=$MAIN/clones/$CLONE/upper ;;
      btrfs) clone=$STORES/btrfs/store/clones/$CLONE ;;
    esac
    run here stat -c %u:%g "$clone/mine" "$clone/theirs"
    expect_output $'0:0\n65535:65535'
    kill_started TERM
    settles "$kind" "$SIZE"
  done
}

@test "zfs-fuse can't map ids: a member gets a read-only root and a warning" {
  local name
  for name in zfs:deb "$ZFS_PARENT/deb"; do
    run --separate-stderr member "$ISOLATE" -z "$name" sh -c 'id -u; cat /etc/debian_version; touch /new'
    [[ ${lines[0]} == 0 && ${lines[1]} == 12.* && $status == 1 ]] || complain "$name"
    expect_in_errors 'isolate: warning: '
    expect_in_errors 'read-only'
    expect_in_errors 'Read-only file system'
    settles zfs "$SIZE" 120
  done
}

@test "a template that root has given to a range can be written by members with that range, and with no other" {
  local base
  succeeds run_in zfs -u "$ZFS_BASE" sh -c 'id -u; touch /new; stat -c %u:%g /new; cat /proc/self/uid_map'
  [[ ${lines[0]} == 0 && ${lines[1]} == 0:0 ]] || complain "inside"
  for base in 0 1 "$USER_A_UID" $((ZFS_BASE - 1)) $((ZFS_BASE + 1)) 4294900000; do
    isolate_refuses '' -- run_in zfs -u "$base" true
  done
  isolate_refuses '-u and -g' -- run_in zfs -u "$ZFS_BASE" -g $((ZFS_BASE + 1)) true
  # The owner of the files alone gives nobody a range: root must register it.
  ctl pool range zfs:deb none
  isolate_refuses 'not registered' 'isolatectl pool range' -- run_in zfs -u "$ZFS_BASE" true
  ctl pool range zfs:deb "$ZFS_BASE"
  settles zfs "$SIZE" 120
}

@test "the exit status is the command's" {
  local number
  for number in 0 1 42 255; do
    run run_in overlay sh -c "exit $number"
    expect_status "$number"
  done
  run run_in overlay sh -c 'kill -KILL $$'
  expect_status 137
  run -127 run_in overlay no-such-command
  run -126 run_in overlay /etc/passwd
}

@test "binds are opened with the member's own rights" {
  make_shared
  echo text >"$SHARED/file"
  install -m 0600 /dev/null "$SCRATCH/of-root"
  install -d -m 0700 "$SCRATCH/closed"
  echo secret | tee "$SCRATCH/of-root" >"$SCRATCH/closed/file"
  succeeds run_in overlay -d "$SHARED:/mnt" sh -c 'cat /mnt/file; echo back >/mnt/back'
  expect_output text
  [[ $(stat -c %u "$SHARED/back") == "$USER_A_UID" ]]
  isolate_refuses "$SCRATCH/closed/file" -- run_in overlay -d "$SCRATCH/closed/file:/mnt/file" cat /mnt/file
  run --separate-stderr run_in overlay -d "$SCRATCH/of-root:/mnt/file" cat /mnt/file
  [[ $status != 0 && "$output$stderr" != *secret* ]] || complain "a file of root was read"
}

@test "hooks run outside as the member, with the root in ROOTFS" {
  make_shared
  succeeds member env PRE_SPAWN_HOOK="touch '$SHARED/pre'; echo hook >\"\$ROOTFS/from-hook\"" \
    POST_SPAWN_HOOK="cp \"\$ROOTFS/result\" '$SHARED/post'" "$ISOLATE" -q -z "$(template_of overlay)" \
    sh -c 'stat -c %u /from-hook; cat /from-hook; echo done >/result'
  expect_output $'0\nhook'
  [[ $(stat -c %u "$SHARED/pre") == "$USER_A_UID" && $(cat "$SHARED/post") == 'done' ]]
}

@test "the member is id 0 of the guest; with --userns=private no id of the guest is the member" {
  local uid
  start_member_guest
  [[ $(stat -c %u "/proc/$GUEST_PID") == "$USER_A_UID" ]]
  kill_started TERM
  start_member_guest --userns=private
  uid=$(stat -c %u "/proc/$GUEST_PID")
  ((uid >= 1073741824 + 4096 * 65536 && uid < 1073741824 + 16384 * 65536 && uid % 65536 == 0)) || complain "uid $uid"
  kill_started TERM
  succeeds run_in overlay --userns=private sh -c 'id -u; touch /new; stat -c %u /new; chown 65535 /new'
  expect_output $'0\n0'
}

@test "-n shares the host's network, without it the guest has none" {
  succeeds run_in overlay -n readlink /proc/self/ns/net
  expect_output "$(readlink /proc/self/ns/net)"
  succeeds run_in overlay readlink /proc/self/ns/net
  [[ $output != "$(readlink /proc/self/ns/net)" ]]
}

@test "the chroot engine works in a leased clone, and warns that it does not isolate" {
  succeeds run_in overlay -e chroot sh -c 'id -u; touch /new && cat /etc/debian_version'
  [[ ${lines[0]} == 0 && ${lines[1]} == 12.* ]] || complain "inside"
  [[ $stderr == 'isolate: warning: '*isolat* ]] || complain "warning"
}

@test "nothing is left after runs, and the pools have their size again" {
  local kind
  for kind in overlay btrfs zfs; do
    for _ in 1 2 3; do succeeds run_in "$kind" true; done
    settles "$kind" "$SIZE" 120
  done
  wait_until 20 daemon_has_no_children || complain "children: $(children_of_daemon)"
  run member find "$MEMBER_HOME" -mindepth 1
  expect_output ''
}

@test "a template in the member's own store takes precedence over the daemon's" {
  succeeds member "$ISOLATECTL" -q template create deb --from "$TARBALL"
  succeeds member "$ISOLATECTL" -q template edit deb -- sh -c 'echo own >/own'
  remember_log
  succeeds member "$ISOLATE" -q -z deb cat /own
  expect_output own
  [[ -z $(log_since) ]] || complain "the daemon was asked: $(log_since)"
  # With --store, isolate looks into no other store.
  isolate_refuses other -- member "$ISOLATE" --store "$MEMBER_HOME/.local/share/isolate" -z other true
  succeeds member "$ISOLATECTL" -q template remove deb
  member rm -rf "$MEMBER_HOME/.local"
}

@test "a request that the daemon does not grant to this user, or to anybody, is refused in one line" {
  local template
  template=$(template_of overlay)
  isolate_refuses 'not a member of the group isolate' 'usermod -aG isolate' -- outsider "$ISOLATE" -z "$template" true
  isolate_refuses keep -- run_in overlay --keep true
  isolate_refuses '-u and -g' -- run_in overlay -u 100000 true
  isolate_refuses '-u and -g' -- run_in btrfs -g 100000 true
  isolate_refuses "template 'zfs:none'" 'isolate -r zfs:none 5' -- member "$ISOLATE" -z zfs:none true
  isolate_refuses "no template 'none'" -- member "$ISOLATE" -z none true
}

@test "members can't use a template until root registers it" {
  ctl --store "btrfs:$STORES/btrfs/store" template create bare --from "$WORK/tree-root-small"
  isolate_refuses "no template 'btrfs:bare' is registered for members" 'isolate -r btrfs:bare 5' -- \
    member "$ISOLATE" -z btrfs:bare true
  fails_plainly 1 isolatectl "template 'bare' has no pool" -- ctl pool drain btrfs:bare
  isolate_refuses "no template 'btrfs:bare' is registered for members" -- member "$ISOLATE" -z btrfs:bare true
  here "$ISOLATE" --store "$MAIN" -q -r btrfs:bare 0
  succeeds member "$ISOLATE" -q -z btrfs:bare id -u
  expect_output 0
  wait_until 30 bare_is_removed || complain "the template can't be removed: $(ctl template remove btrfs:bare 2>&1)"
  # Until the daemon has noticed, the store itself says so.
  isolate_refuses "no template '" bare -- member "$ISOLATE" -z btrfs:bare true
}
bare_is_removed() { ctl template remove btrfs:bare 2>/dev/null; }

@test "without the daemon the error says how to start it" {
  stop_daemon
  [[ ! -e $STORES/daemon.pid ]]
  isolate_refuses 'isolated does not run' 'systemctl start isolated.socket' -- run_in btrfs true
  # Nothing indicates a daemon here, so the error is about the user's own store.
  isolate_refuses 'isolatectl template create' -- member "$ISOLATE" -z deb true
  run --separate-stderr member "$ISOLATECTL" status
  expect_status 1
  start_daemon
  succeeds member "$ISOLATECTL" status
  [[ $(member "$ISOLATECTL" status | tail -c 1 | od -An -c) == *'\n'* ]] || complain "no line feed"
  [[ $output != *' 1 connections'* ]] || complain "1 connections"
  succeeds run_in overlay true
}

@test "isolatectl shows members the daemon's templates and pools, and their own leases" {
  local list
  succeeds member "$ISOLATECTL" --json template list
  list=$output
  [[ $(jq -r '[.[] | select(.name == "deb").store] | sort | join(" ")' <<<"$list") == *"btrfs:$STORES/btrfs/store"* ]] ||
    complain "templates"
  succeeds member "$ISOLATECTL" --json pool list
  [[ $(jq -r '[.[] | select(.template == "deb").size] | join(" ")' <<<"$output") == "$SIZE $SIZE $SIZE" ]] ||
    complain "pools"
  succeeds member "$ISOLATECTL" pool status "$(template_of btrfs)"
  expect_in_output deb
  start_member_guest
  succeeds member "$ISOLATECTL" --json ps
  [[ $(jq -r '.[] | [.clone, .user, .template] | join(" ")' <<<"$output") == "$CLONE $USER_A deb" ]] || complain "ps"
  succeeds member_b "$ISOLATECTL" --json ps
  expect_output '[]'
  succeeds ctl --json ps
  expect_in_output "$CLONE"
  kill_started TERM
  isolatectl_refuses root -- member "$ISOLATECTL" pool resize "$(template_of btrfs)" 9
  isolatectl_refuses root -- member "$ISOLATECTL" pool drain "$(template_of btrfs)"
  expect_pool btrfs size "$SIZE"
}

@test "the daemon describes its interface through Varlink" {
  local method description
  succeeds in_words MEMBER call org.varlink.service.GetInfo
  [[ $(jq -r '.interfaces | sort | join(" ")' <<<"$output") == 'org.isolate.Manager org.varlink.service' ]] ||
    complain "interfaces"
  [[ $(jq -r '[.vendor, .product, .version, .url] | map(type) | unique | join(" ")' <<<"$output") == string ]] ||
    complain "info"
  succeeds in_words MEMBER call org.varlink.service.GetInterfaceDescription '{"interface": "org.isolate.Manager"}'
  description=$(jq -r .description <<<"$output")
  for method in Lease EnterGroup BeginUse GetGeneration ListTemplates ListPools ListLeases Kill GetStatus ResizePool; do
    grep -q "^method $method(" <<<"$description" || complain "no method $method"
  done
  for method in PermissionDenied NoSuchTemplate NoSuchLease TooManyLeases Failed; do
    grep -q "^error $method" <<<"$description" || complain "no error $method"
  done
  run --separate-stderr in_words MEMBER call org.varlink.service.GetInterfaceDescription '{"interface": "org.none"}'
  [[ $status == 1 && $stderr == org.varlink.service.InterfaceNotFound* ]] || complain "an unknown interface"
}

@test "the daemon logs when a lease begins and ends" {
  remember_log
  start_member_guest
  log_has "leased $CLONE of .*deb.* to uid $USER_A_UID, pid $STARTED_PID" || complain "$(log_since)"
  refute log_has "reaped $CLONE"
  kill_started TERM
  wait_until 20 log_has "reaped $CLONE" || complain "$(log_since)"
}

@test "the daemon needs root and the group, and only the group may use its socket" {
  run here stat -c '%F %a %U:%G' "$SOCKET" /run/isolate
  expect_output $'socket 660 root:isolate\ndirectory 755 root:root'
  fails_plainly 1 isolated root -- member "$ISOLATED"
  stop_daemon
  sed '/^isolate:/d' /etc/group >"$SCRATCH/group"
  fails_plainly 1 isolated 'groupadd --system isolate' -- here unshare --mount sh -c \
    'mount --bind "$1" /etc/group && exec "$2" --store "$3"' sh "$SCRATCH/group" "$ISOLATED" "$MAIN"
  start_daemon
  succeeds "$ISOLATED" --version
  [[ $output == isolated* ]] || complain "version"
  succeeds "$ISOLATED" --help
  expect_in_output --store
}

@test "a member's launcher starts a clone of the daemon's, whose files it can't take a name from" {
  local words=() word
  make_shared
  succeeds member env XDG_DATA_HOME="$SHARED/data" "$ISOLATECTL" launcher create id --template overlay:deb -- id -u
  expect_in_errors "template 'overlay:deb' is leased by the daemon"
  # No session runs here, so what --desktop shares is left out.
  while read -r -d '' word; do [[ $word == --desktop ]] || words+=("$word"); done < <(
    /usr/bin/python3 -I -S "$HELPERS/desktop_exec.py" "$SHARED/data/applications/isolate-id.desktop"
  )
  succeeds member "${words[@]}"
  expect_output 0
  fails_plainly 1 isolatectl "no template 'dep'" 'nearest: deb' -- \
    member env XDG_DATA_HOME="$SHARED/data" "$ISOLATECTL" launcher create no --template dep -- id
}
