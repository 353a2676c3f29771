# variants: root-bwrap: the daemon serves only root's stores
# Many members' runs at the same time. Each has a clone that nobody else has, and nothing of them is left.

load helpers
load stores
load daemon
load guests

SIZE=20

setup_file() { make_daemon "$SIZE"; }
teardown_file() { remove_daemon; }

# Starts guests of the two members in turn.
start_guest() {
  local words=MEMBER options=()
  if ((${#STARTED[@]} % 2)); then words=MEMBER_B; fi
  # zfs-fuse can't map ids, so a guest can write its template only with the ids that the template belongs to.
  if [[ $KIND == zfs ]]; then options=(-u "$ZFS_BASE"); fi
  start_words "$words" "$ISOLATE" -q -z "$(template_of "$KIND")" "${options[@]}" "$@"
}

# many_at_once KIND NUMBER: starts and ends so many guests at a time.
many_at_once() {
  local begin=$SECONDS
  KIND=$1
  remember_log
  start_guests "$2"
  pool_is "$KIND" leased "$2" || complain "$KIND: $(ctl pool status "$KIND:deb" --json)"
  all_live
  echo "# $2 $KIND clones were in use at a time, after $((SECONDS - begin)) s" >&3
  end_guests
  all_are_reaped
  settles "$KIND" "$SIZE"
}

@test "many runs at a time, 60 or 200, use a pool of 20 overlays" { many_at_once overlay "$(unless_long 60 200)"; }
@test "many runs at a time, 30 or 200, use a pool of 20 btrfs clones" { many_at_once btrfs "$(unless_long 30 200)"; }

# zfs-fuse can hang forever when it does several things at once, and on a busy machine a single clone can take half a
# minute. So there are only a few runs, one after the other, and long timeouts. tests/vm makes 200 runs on OpenZFS.
@test "10 runs, one after another, use a pool of 20 ZFS clones" {
  local number
  KIND=zfs
  remember_log
  : >"$SCRATCH/all"
  for number in {1..10}; do
    succeeds run_in zfs -u "$ZFS_BASE" sh -c 'test ! -e /mark && echo "$0" >/mark && cat /mark && uname -n' "$number"
    [[ ${lines[0]} == "$number" ]] || complain "the clone has another run's mark"
    echo "${lines[1]}" >>"$SCRATCH/all"
  done
  sort "$SCRATCH/all" >"$SCRATCH/clones"
  [[ -z $(uniq -d "$SCRATCH/clones") ]] || complain "in two runs: $(uniq -d "$SCRATCH/clones")"
  all_are_reaped 200
  settles zfs "$SIZE" 150
}

@test "afterwards the daemon has no children and as many descriptors as at its start" {
  local before after
  wait_until 200 daemon_has_no_children || complain "children: $(children_of_daemon)"
  after=$(descriptors_of_daemon)
  restart_daemon
  wait_until 30 daemon_has_no_children
  before=$(descriptors_of_daemon)
  ((after <= before + 5)) || complain "$before descriptors after the start, $after after the runs"
}
