# variants: root-bwrap
# The program `zfs` dies before or after its work, or whoever started it does, at each thing that a refresh or a run has it
# do (a build with fault points): it is told in one line, and whatever has our mark has its state, too.

load helpers
load stores

only_kinds zfs
SIZE=2

setup_file() {
  make_stores
  refresh zfs "$SIZE"
}
teardown_file() { remove_stores; }

# zfs-fuse lets go of a mount later than it says.
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

# with_fault POINT OPTION... [COMMAND...]: isolate on the store.
with_fault() {
  local point=$1
  shift
  here env "ISOLATE_FAULT=$point" "$ISOLATE" --store "$MAIN" -q "$@"
}

@test "zfs that dies while fresh clones are replaced: an error, and the next refresh puts all in order" {
  local point
  for point in zfs-{get,clone}-{begun,done}; do
    fails_plainly 125 isolate 'was ended by signal 9' -- with_fault "$point" -f -r zfs:deb "$SIZE"
    recovers "$point"
  done
  # What can't be destroyed is no failure of a refresh: it is told, and tried again.
  for point in zfs-destroy-{begun,done}; do
    run --separate-stderr with_fault "$point" -f -r zfs:deb "$SIZE"
    expect_status 0
    recovers "$point"
  done
}

@test "isolate -r that is killed while zfs works" {
  local point
  for point in zfs-{get,clone,destroy}-{begun,done}; do
    run --separate-stderr with_fault "$point:kill" -f -r zfs:deb "$SIZE"
    expect_status 137
    recovers "$point:kill"
  done
}

@test "zfs that dies while a run takes, makes or gives back its clone" {
  local point
  refresh zfs 0
  for point in zfs-{get,clone}-{begun,done}; do
    fails_plainly 125 isolate 'was ended by signal 9' -- with_fault "$point" -z zfs:deb -u "$ZFS_BASE" true
    [[ -z $(here ls -A "$STATE/making") ]] || complain "after $point: $(here ls "$STATE/making")"
  done
  for point in zfs-destroy-{begun,done}; do
    run --separate-stderr with_fault "$point" -z zfs:deb -u "$ZFS_BASE" true
    expect_in_errors 'was ended by signal 9'
    recovers "$point"
    refresh zfs 0
  done
}
