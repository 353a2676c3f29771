# variants: root-bwrap
# The program `zfs`, or the process that started it, dies before or after its work, at each call that a refresh or a run
# makes (in a build with fault points). isolate reports that in one line, and everything with our mark has its state as
# well.

load helpers
load stores

only_kinds zfs
SIZE=2

setup_file() {
  make_stores
  refresh zfs "$SIZE"
}
teardown_file() { remove_stores; }

# zfs-fuse releases a mount later than it reports.
recovers() {
  wait_until 20 is_in_order || complain "after $1: $(ctl pool status zfs:deb --json) $(clones_of zfs)"
}
is_in_order() {
  refresh zfs "$SIZE" 2>/dev/null && pool_is zfs fresh "$SIZE" && pool_is zfs leased 0 && pool_is zfs waiting 0 &&
    [[ $(clones_of zfs | sed 's,.*/,,' | sort) == "$(here ls "$STATE"/fresh)" ]] && [[ -z $(here ls -A "$STATE/making") ]]
}
setup() {
  common_setup
  STATE=/var/lib/isolate/zfs/${ZFS_PARENT/\//%}/deb
}

# with_fault POINT OPTION... [COMMAND...]: runs isolate on the store with a fault at that point.
with_fault() {
  local point=$1
  shift
  here env "ISOLATE_FAULT=$point" "$ISOLATE" --store "$MAIN" -q "$@"
}

@test "if zfs dies while fresh clones are replaced, there is an error, and the next refresh repairs everything" {
  local point
  for point in zfs-{get,clone}-{begun,done}; do
    fails_plainly 125 isolate 'was ended by signal 9' -- with_fault "$point" -f -r zfs:deb "$SIZE"
    recovers "$point"
  done
  # A clone that can't be destroyed does not make a refresh fail. It is reported, and tried again.
  for point in zfs-destroy-{begun,done}; do
    run --separate-stderr with_fault "$point" -f -r zfs:deb "$SIZE"
    expect_status 0
    recovers "$point"
  done
}

@test "if isolate -r is killed while zfs works, the next refresh repairs everything" {
  local point
  for point in zfs-{get,clone,destroy}-{begun,done}; do
    run --separate-stderr with_fault "$point:kill" -f -r zfs:deb "$SIZE"
    expect_status 137
    recovers "$point:kill"
  done
}

@test "if zfs dies while a run takes, makes or returns its clone, there is an error, and nothing stays half made" {
  local point
  refresh zfs 0
  for point in zfs-{get,clone}-{begun,done}; do
    fails_plainly 125 isolate 'was ended by signal 9' -- with_fault "$point" -z zfs:deb -u "$ZFS_BASE" true
    [[ -z $(here ls -A "$STATE/making") ]] || complain "after $point: $(here ls "$STATE/making")"
  done
  for point in zfs-destroy-{begun,done}; do
    # Only with --sync does isolate wait for the removal of its clone.
    run --separate-stderr with_fault "$point" --sync -z zfs:deb -u "$ZFS_BASE" true
    expect_in_errors 'was ended by signal 9'
    recovers "$point"
    refresh zfs 0
  done
}
