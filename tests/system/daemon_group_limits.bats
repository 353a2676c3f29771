# variants: root-bwrap: the daemon serves only root's stores
# builds: release
# Leases with limits from a daemon that has no control groups of version 2.

load helpers
load stores
load daemon

only_kinds overlay

setup_file() { make_daemon 1; }
teardown_file() { remove_daemon; }
setup() { setup_without_daemon; }

# Hides the control groups from the daemon. Whether the caller sees them does not matter.
start_daemon_without_groups() {
  spawn_daemon unshare --mount --propagation slave sh -c 'mount -t tmpfs none /sys/fs/cgroup && exec "$@"' sh \
    "$ISOLATED" --store "$MAIN"
  wait_until 20 daemon_answers || complain "the daemon does not answer: $(tail -n 5 "$STORES/daemon.log")"
}

@test "a lease with limits is refused in one line, nothing runs, and the clone goes back" {
  make_shared
  start_daemon_without_groups
  isolate_refuses 'limits' 'control groups of version 2' -- \
    run_in overlay --memory 64M -d "$SHARED:/mnt" touch /mnt/ran
  isolate_refuses 'control groups of version 2' -- run_in overlay -e chroot --pids 40 -d "$SHARED:/mnt" touch /mnt/ran
  [[ ! -e $SHARED/ran ]]
  succeeds run_in overlay -d "$SHARED:/mnt" touch /mnt/ran
  [[ -e $SHARED/ran ]]
  settles overlay 1
}

@test "invalid limits are refused, and so is entering a group that does not exist" {
  start_daemon_without_groups
  run in_words MEMBER call org.isolate.Manager.Lease '{"template":"deb","limits":{"memory":"64M"}}'
  expect_in_output 'memory: expected a number'
  run in_words MEMBER call org.isolate.Manager.EnterGroup '{"lease":"../../etc"}'
  expect_in_output InvalidParameter
  run in_words MEMBER call org.isolate.Manager.EnterGroup '{"lease":"deb-abc"}'
  expect_in_output 'control groups of version 2'
}

@test "the keeper of groups ends with an error if there are no control groups of version 2" {
  fails_plainly 1 isolated 'control groups of version 2' -- here unshare --mount --propagation slave \
    sh -c 'mount -t tmpfs none /sys/fs/cgroup && exec "$@"' sh "$ISOLATED" --keep-groups
  here test ! -e /run/isolate/control-group
}
