# suites: trixie
# then: systemctl reboot, tests/vm/reboot_in_order.bats
# The guest is rebooted with twenty running leases. First in order: systemd stops everything.

load reboot

@test "before the reboot: a member has twenty leases, a clone is kept, the pool has five clones" {
  let_systemd_import_pools
  set_up_service "$SIZE"
  succeeds isolate -q --keep -z "$DATASET" sh -c 'echo kept >/root/kept; sync /root/kept'
  mkdir -p "$KNOWN"
  isolatectl ps --kept --json | jq -r '.[0].clone // .[0].id // .[0].lease' >"$KNOWN/kept"
  grep -q '^debisl_' "$KNOWN/kept" || complain "$(isolatectl ps --kept --json)"
  start_runs
  remember
}
