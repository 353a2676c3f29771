# identities: root
# builds: release
# Many runs of a member, several at a time: each has a clone that nobody else has, and nothing of them stays.

load helpers
load stores
load daemon

SIZE=20

setup_file() { make_daemon "$SIZE"; }
teardown_file() { remove_daemon; }

# What a run does, with its number in $0: its clone is new, and stays its own.
MARKING='test ! -e /mark && echo "$0" >/mark && sleep 0.1 && echo "$(cat /mark) $(uname -n)"'

# many KIND COUNT PARALLEL: so many runs; what they print is in $SCRATCH/KIND, a line each.
many() {
  local kind=$1 count=$2 parallel=$3 options=() status=0
  # zfs-fuse maps no ids: to be written, a template of its must belong to those of the guest.
  if [[ $kind == zfs ]]; then options=(-u "$ZFS_BASE"); fi
  seq "$count" | member xargs -P "$parallel" -I '{}' "$ISOLATE" -q -z "$(template_of "$kind")" "${options[@]}" \
    sh -c "$MARKING" '{}' >"$SCRATCH/$kind" 2>"$SCRATCH/$kind.err" || status=$?
  [[ $status == 0 && ! -s $SCRATCH/$kind.err ]] ||
    complain "$kind: runs failed ($status): $(head -n 5 "$SCRATCH/$kind.err")"
}

# all_different KIND COUNT: each number came once, in a clone of its own, and the daemon has leased and reaped just
# these clones.
all_different() {
  local kind=$1 count=$2
  [[ $(cut -d ' ' -f 1 "$SCRATCH/$kind" | sort -n) == "$(seq "$count")" ]] ||
    complain "$kind: $(sort -n "$SCRATCH/$kind")"
  cut -d ' ' -f 2 "$SCRATCH/$kind" | sort >"$SCRATCH/clones"
  [[ -z $(uniq -d "$SCRATCH/clones") ]] || complain "$kind: in two runs: $(uniq -d "$SCRATCH/clones")"
  log_since | sed -n 's/.*leased \([^ ]*\) of .*/\1/p' | sort >"$SCRATCH/leased"
  cmp "$SCRATCH/clones" "$SCRATCH/leased" || complain "$kind: others were leased"
  wait_until 200 all_reaped || complain "$kind: not reaped: $(comm -23 "$SCRATCH/leased" "$SCRATCH/reaped")"
}
all_reaped() {
  log_since | sed -n 's/.*reaped \([^ ]*\).*/\1/p' | sort >"$SCRATCH/reaped"
  cmp -s "$SCRATCH/leased" "$SCRATCH/reaped"
}

@test "200 runs on a pool of 20 overlays" {
  remember_log
  many overlay 200 16
  all_different overlay 200
  settles overlay "$SIZE"
}

@test "100 runs on a pool of 20 btrfs subvolumes" {
  remember_log
  many btrfs 100 10
  all_different btrfs 100
  settles btrfs "$SIZE" 120
}

# zfs-fuse on a busy machine at times takes half a minute for a single clone: few runs, and
# patience with what comes after them.
@test "10 runs, one after another, on a pool of 20 ZFS clones" {
  remember_log
  many zfs 10 1
  all_different zfs 10
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
