# suites: trixie
# builds: faults
# Whatever is killed at any moment, including `zfs`, and whatever dies at a fault point: no clone on OpenZFS is leased
# twice, destroyed while in use, lost, or offered again after use.
#
#   ISOLATE_CRASH_ROUNDS   number of rounds; default 12            ISOLATE_CRASH_SEED   repeats the rounds of that seed

load vm

SIZE=5

# crash_rounds.py starts its own daemon.
setup_file() {
  systemctl disable --now isolated.socket isolated.service
  useradd --no-create-home other
  snapshot_now
  isolate -q -r "$DATASET" "$SIZE"
}
teardown_file() { isolate -q -f -r "$DATASET" 0; }

# rounds OPTION...: runs crash_rounds.py on the ZFS pool.
rounds() {
  /usr/bin/python3 -E -s -B "$HELPERS/crash_rounds.py" --isolate "$ISOLATE" --isolated /usr/sbin/isolated --store "$STORE" \
    --kind zfs --place "$PARENT" --template debisl --size "$SIZE" --slow 3 --settle 90 \
    --group "$(getent group isolate | cut -d : -f 3)" --log "$SCRATCH/daemon.log" \
    --member "$(id -u tester):$(id -g tester)" --member "$(id -u other):$(id -g other)" "$@"
}
rounds_are_well() {
  local number=${ISOLATE_CRASH_ROUNDS:-12} seed=()
  if [[ -n ${ISOLATE_CRASH_SEED-} ]]; then seed=(--seed "$ISOLATE_CRASH_SEED"); fi
  run rounds --rounds "$number" "${seed[@]}" "$@"
  echo "# ${lines[-1]}" >&3
  [[ $status == 0 && ${lines[-1]} == "$number rounds, "*' 0 faults'* ]] ||
    complain "$(tail -n 40 "$SCRATCH/daemon.log")"
}

@test "rounds of runs with killed daemons, clients, isolate -r or zfs lose and reuse no clone" {
  rounds_are_well
  [[ ${lines[-1]} != *' 0 times zfs killed'* ]] || complain "zfs was never killed"
}

@test "rounds of deaths at fault points lose and reuse no clone" { rounds_are_well --fault-points; }

@test "control: the rounds find a used clone among the fresh ones" {
  run rounds --rounds 0 --plant
  [[ $status == 1 && $output == *'a used clone is fresh'* ]] || complain "the planted fault was not noticed"
  run rounds --rounds 1 --plant --seed 1
  [[ $status == 1 ]] || complain "the planted fault was not noticed"
  isolate -q -f -r "$DATASET" "$SIZE"
}

# Covers the calls of zfs that make, lease and destroy clones.
@test "if zfs or its caller dies before or after its work, there is one error line, and everything is repaired" {
  local point
  isolate -q -r "$DATASET" 2
  for point in zfs-{get,clone,destroy}-{begun,done}{,:kill}; do
    run --separate-stderr env "ISOLATE_FAULT=$point" "$ISOLATE" -q --sync -z "$DATASET" true
    # A run from the pool calls only "destroy".
    if [[ $point == zfs-destroy-*:kill ]]; then
      [[ $status == 137 ]] || complain "$point"
    elif [[ $point == zfs-destroy-* ]]; then
      expect_in_errors 'was ended by signal 9'
    else
      [[ $status == 0 ]] || complain "$point"
    fi
    run --separate-stderr env "ISOLATE_FAULT=$point" "$ISOLATE" -q -f -r "$DATASET" 2
    wait_until 30 is_in_order || complain "after $point: $(isolatectl pool status zfs:debisl --json) $(clones_of debisl)"
  done
  isolate -q -r "$DATASET" "$SIZE"
}
is_in_order() {
  isolate -q -r "$DATASET" 2 2>/dev/null && pool_is debisl fresh 2 && pool_is debisl leased 0 && pool_is debisl waiting 0 &&
    [[ $(number_of_clones debisl) == 2 && -z $(ls -A "$MOUNTS") ]]
}
