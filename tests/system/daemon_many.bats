# variants: root-bwrap: the daemon serves root's stores alone
# Many members' runs at the same time: each has a clone that nobody else has, and nothing of them stays.

load helpers
load stores
load daemon
load guests

SIZE=20

setup_file() { make_daemon "$SIZE"; }
teardown_file() { remove_daemon; }

# Two members in turn.
start_guest() {
  local words=MEMBER options=()
  if ((${#STARTED[@]} % 2)); then words=MEMBER_B; fi
  # zfs-fuse maps no ids: to be written, a template of its must belong to those of the guest.
  if [[ $KIND == zfs ]]; then options=(-u "$ZFS_BASE"); fi
  start_words "$words" "$ISOLATE" -q -z "$(template_of "$KIND")" "${options[@]}" "$@"
}

# many_at_once KIND NUMBER
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

@test "many runs at a time, 60 or 200, on a pool of 20 overlays" { many_at_once overlay "$(unless_long 60 200)"; }
@test "many runs at a time, 30 or 200, on a pool of 20 btrfs subvolumes" { many_at_once btrfs "$(unless_long 30 200)"; }

# zfs-fuse can stand still for ever when it has several things to do at once, and on a busy machine it at times takes half
# a minute for a single clone: few runs, one after the other, and patience. OpenZFS has its 200 in tests/vm.
@test "10 runs, one after another, on a pool of 20 ZFS clones" {
  local number
  KIND=zfs
  remember_log
  : >"$SCRATCH/all"
  for number in {1..10}; do
    succeeds run_in zfs -u "$ZFS_BASE" sh -c 'test ! -e /mark && echo "$0" >/mark && cat /mark && uname -n' "$number"
    [[ ${lines[0]} == "$number" ]] || complain "another's mark"
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
