# variants: root-bwrap: the daemon serves root's stores alone
# --home on clones that the daemon leases to members.

load helpers
load stores
load daemon

only_kinds overlay

SIZE=2

setup_file() { make_daemon "$SIZE"; }
teardown_file() { remove_daemon; }

@test "a member has their own name and ids, with each engine" {
  local engine
  for engine in bwrap lxc chroot; do
    succeeds run_in overlay -q -e "$engine" --home sh -c 'echo "$(id -un) $(id -u):$(id -g) $HOME"; pwd; touch f; stat -c %u:%a . f
      grep CapEff /proc/self/status; getent passwd "$(id -u)" | cut -d: -f6'
    expect_output "$USER_A $USER_A_UID:$USER_A_GID /home/$USER_A
/home/$USER_A
$USER_A_UID:700
$USER_A_UID:644
CapEff:	0000000000000000
/home/$USER_A"
  done
  settles overlay "$SIZE"
}

@test "files that the guest leaves in --home=DIR belong to the member" {
  make_shared
  succeeds run_in overlay --home="$SHARED" sh -c 'echo kept >file; stat -c %u file'
  expect_output "$USER_A_UID"
  [[ $(stat -c %u "$SHARED/file") == "$USER_A_UID" ]]
  succeeds run_in overlay --home="$SHARED" cat file
  expect_output kept
  settles overlay "$SIZE"
}

@test "with --userns=private a member still has their user id inside" {
  succeeds run_in overlay --userns=private --home sh -c 'id -u; touch f; stat -c %u f'
  expect_output "$USER_A_UID
$USER_A_UID"
  settles overlay "$SIZE"
}

@test "isolatectl exec runs its command as the same user" {
  KIND=overlay start_member_guest --home
  succeeds member "$ISOLATECTL" exec "$CLONE" sh -c 'id -un; pwd'
  expect_output "$USER_A
/home/$USER_A"
  kill_started KILL
  settles overlay "$SIZE"
}
