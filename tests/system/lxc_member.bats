# variants: root-bwrap: the daemon serves only root's stores
# The LXC engine on clones that the daemon leases to members.

load helpers
load stores
load daemon

only_kinds overlay btrfs

SIZE=2

setup_file() { make_daemon "$SIZE"; }
teardown_file() { remove_daemon; }

@test "a member is root in a container on a clone of their own, which is removed afterwards" {
  local kind
  for kind in overlay btrfs; do
    run -7 --separate-stderr run_in "$kind" -e lxc -v A=b -p /etc sh -c 'id -u; cat debian_version; echo "$A" >/new; cat /new
      stat -c %u:%g /new; cat /proc/1/comm; exit 7'
    [[ ${lines[0]} == 0 && ${lines[1]} == 12.* && ${lines[2]} == b && ${lines[3]} == 0:0 && ${lines[4]} == isolate-init ]] ||
      complain "$kind"
    succeeds run_in "$kind" -e lxc test ! -e /new
  done
  for kind in overlay btrfs; do settles "$kind" "$SIZE"; done
}

@test "binds belong to the member, and are read-only if requested" {
  make_shared
  succeeds run_in overlay -e lxc -d "$SHARED:/mnt" -d "$SHARED:/media:ro" sh -c \
    'echo x >/mnt/file; stat -c %u /mnt/file; touch /media/no 2>/dev/null || echo read-only'
  expect_output $'0\nread-only'
  [[ $(stat -c %u "$SHARED/file") == "$USER_A_UID" ]] || complain "the file belongs to somebody else"
  settles overlay "$SIZE"
}

@test "with --userns=private no id inside is the member, and a killed run leaves nothing" {
  succeeds run_in overlay -e lxc --userns=private cat /proc/self/uid_map
  refute grep -qE "^ *[0-9]+ +$USER_A_UID " <<<"$output"
  KIND=overlay start_member_guest -e lxc
  kill_started KILL
  settles overlay "$SIZE"
  wait_until 5 no_process_with "$MARK"
}

@test "quotas that a member's container can't have are refused in one line" {
  fails_plainly 125 isolate LXC_MEM_MB_QUOTA -- member env LXC_MEM_MB_QUOTA=64 "$ISOLATE" -e lxc -z overlay:deb true
  settles overlay "$SIZE"
}
