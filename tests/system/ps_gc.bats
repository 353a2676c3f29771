# variants: root-bwrap: the identity hardly matters
# other variants: user-bwrap
# isolatectl ps and gc: which run holds which clone, and clones that no run holds any more.

load helpers

leases() { isolatectl --json ps | jq -r "$1"; }
one_runs() { [[ $(leases length) == 1 ]]; }
none_runs() { [[ $(leases length) == 0 ]]; }

@test "ps shows a run while it lasts" {
  start_isolate -q -z debian sh -c "uname -n; exec sleep $MARK"
  wait_until 10 test -s "$SCRATCH/out"
  one_runs
  [[ $(leases '.[0].template') == debian ]]
  [[ $(leases '.[0].pid') == "$STARTED_PID" ]]
  [[ $(leases '.[0] | tostring') == *"$(cat "$SCRATCH/out")"* ]]
  succeeds isolatectl ps
  expect_in_output "$(cat "$SCRATCH/out")"
  expect_in_output debian
  kill_started TERM
  none_runs
}

@test "gc leaves clones in use alone" {
  mkfifo -m 0666 "$SCRATCH/go"
  chown "$CALLER_UID" "$SCRATCH/go"
  start_isolate -q -z debian -d "$SCRATCH:/s" \
    sh -c 'echo mine >/file; touch /s/ready; read x </s/go; cat /file /etc/debian_version >/dev/null && echo whole'
  wait_until 10 test -e "$SCRATCH/ready"
  succeeds isolatectl gc
  succeeds isolatectl template gc
  one_runs
  echo >"$SCRATCH/go"
  end_of_started
  [[ $STATUS == 0 && $(cat "$SCRATCH/out") == whole ]]
}

@test "gc removes what a killed run has left, and names it" {
  local number ids=()
  for number in 1 2 3; do
    start_isolate -q -z debian sh -c "uname -n; exec sleep $MARK"
    wait_until 10 test -s "$SCRATCH/out"
    ids+=("$(cat "$SCRATCH/out")")
    kill_started KILL
    wait_until 2 no_process_with "$MARK"
    [[ -n $(state_in "$STORE") ]] || complain "nothing to collect: has the clone gone by itself?"
  done
  none_runs
  succeeds isolatectl gc
  [[ "$output$stderr" == *"${ids[2]}"* ]] || complain "gc does not name ${ids[2]}"
  store_gets_clean
  succeeds isolatectl gc
}

@test "gc touches nothing that does not belong to the store" {
  mkdir -p "$SCRATCH/victim" "$STORE/pools/debian/trash"
  touch "$SCRATCH/victim/file"
  chown -R "$CALLER_UID:$CALLER_GID" "$SCRATCH/victim" "$STORE/pools"
  # Names that only look like a clone's: links, and names that lead out of the store.
  ln -s "$SCRATCH/victim" "$STORE/clones/looks-like-a-clone"
  ln -s "$SCRATCH/victim" "$STORE/pools/debian/trash/looks-like-a-lease"
  run isolatectl gc
  [[ -e $SCRATCH/victim/file ]]
  rm -f "$STORE/clones/looks-like-a-clone" "$STORE/pools/debian/trash/looks-like-a-lease"
}

@test "a kept clone is listed as kept, and removed when asked" {
  succeeds isolate --keep -z debian sh -c 'echo x >/kept-file; uname -n'
  local id=$output
  succeeds isolatectl gc
  [[ -d $STORE/clones/$id || -n $(find "$STORE/pools/debian/kept" -name "$id") ]]
  succeeds isolatectl gc --kept
  [[ -z $(find "$STORE" -path '*/layers/*' -prune -o -name "$id" -print) ]]
}

@test "twenty runs, gc and ps at the same time do not hinder each other" {
  local number pids=() failures=0
  for number in {1..20}; do
    in_clone sh -c 'sleep 0.$0; echo x >/x && test -e /etc/passwd' "$number" 3>&- &
    pids+=($!)
    if [[ $((number % 5)) == 0 ]]; then
      isolatectl gc
      leases length
    fi
  done
  for number in "${pids[@]}"; do wait "$number" || failures=$((failures + 1)); done
  [[ $failures == 0 ]]
}
