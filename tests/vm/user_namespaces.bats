# suites: trixie
# Where ordinary users may make no user namespaces: what members can still do with clones of the daemon's, and what
# everybody is told.

load daemon

setup_file() {
  set_up_service 2
  make_small_root "$WORK/small"
  as_caller isolatectl -q template create small --from "$WORK/small"
}
teardown_file() {
  as_caller isolatectl -q template remove small
  take_down_service
}
setup() {
  common_setup
  NAMESPACES=$(sysctl -n user.max_user_namespaces)
}
teardown() {
  sysctl -q kernel.unprivileged_userns_clone=1 "user.max_user_namespaces=$NAMESPACES"
  end_with_full_pool 2
}

@test "kernel.unprivileged_userns_clone=0: a member runs clones of the daemon's with bwrap and chroot" {
  sysctl -q kernel.unprivileged_userns_clone=0
  succeeds member -q -z zfs:debisl sh -c 'id -u; touch /new; awk "/Max processes/ { print \$3 }" /proc/self/limits; cat /proc/self/uid_map | wc -l'
  expect_output $'0\n4096\n2'
  [[ ${#stderr_lines[@]} == 1 && $stderr == *'kernel.unprivileged_userns_clone is 0'*--pids* ]] || complain "the warning"
  succeeds member -q -z zfs:debisl --userns=private sh -c 'id -u; touch /new; chown 1000 /new'
  expect_output 0
  # The limit of a control group is one of all together: nothing is weaker then.
  succeeds member -q -z zfs:debisl --pids 50 id -u
  expect_output 0
  expect_no_errors
  succeeds member -q -z zfs:debisl --ulimit nproc=unlimited id -u
  expect_no_errors
  succeeds member -q -e chroot -z zfs:debisl id -u
  expect_output 0
}

@test "kernel.unprivileged_userns_clone=0: what needs a second namespace is refused in one line, and no clone is left" {
  sysctl -q kernel.unprivileged_userns_clone=0
  isolate_refuses 'kernel.unprivileged_userns_clone is 0' -- member -q -z zfs:debisl --cap-add SYS_ADMIN true
  isolate_refuses 'kernel.unprivileged_userns_clone is 0' -- member -q -e lxc -z zfs:debisl true
}

@test "without the daemon an ordinary user is told which switch it is, and of the daemon" {
  sysctl -q kernel.unprivileged_userns_clone=0
  isolate_refuses 'kernel.unprivileged_userns_clone is 0' 'group isolate' -- member -q -z small true
}

@test "user.max_user_namespaces=0 is one line for everybody, with each engine" {
  local engine
  sysctl -q user.max_user_namespaces=0
  for engine in bwrap lxc; do
    isolate_refuses user.max_user_namespaces -- member -q -e "$engine" -z zfs:debisl true
    isolate_refuses user.max_user_namespaces -- member -q -e "$engine" -z small true
    isolate_refuses user.max_user_namespaces -- "$ISOLATE" -q -e "$engine" -z "$DATASET" true
  done
}
