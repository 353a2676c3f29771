# variants: root-bwrap user-bwrap: a container gives its root and its users different rights
# other variants: root-lxc user-lxc root-native user-native
# isolate in a container: a pid namespace in which few other processes have run, or none.

load helpers

# Runs a command with its own /proc, in which no process has pid 2 when isolate runs. isolate is then process 3.
in_pid_namespace() { unshare --pid --fork --kill-child --mount-proc sh -c '/bin/true; "$@"' sh "$@"; }
# Runs a command as process 1.
as_first_process() { unshare --pid --fork --kill-child --mount-proc "$@"; }

@test "in a pid namespace without a process 2, a run has its own processes, output and status" {
  local place
  for place in in_pid_namespace as_first_process; do
    run -9 --separate-stderr "$place" "${CALLER[@]}" "$ISOLATE" --store "$STORE" -q -z debian sh -c \
      'cat /proc/1/comm; exit 9'
    [[ $output == isolate-init && -z $stderr ]] || complain "$place"
  done
}

@test "in such a pid namespace a guest with all capabilities, which needs two user namespaces, starts" {
  local place
  for place in in_pid_namespace as_first_process; do
    succeeds "$place" "${CALLER[@]}" "$ISOLATE" --store "$STORE" -q -z debian --cap-add ALL cat /proc/1/comm
    expect_output isolate-init
  done
}

@test "in such a pid namespace isolatectl exec works" {
  succeeds in_pid_namespace "${CALLER[@]}" bash -c '
    "$1" --store "$3" -q -z debian sh -c "echo up; exec sleep 60" >"$4" &
    for ((i = 0; i < 200; i++)); do [[ -s $4 ]] && break || sleep 0.05; done
    clone=$("$2" --store "$3" --json ps | jq -r ".[0].clone")
    "$2" --store "$3" exec "$clone" cat /proc/1/comm
    kill -TERM $! && wait $! || ended=$?
    # gc waits for the process that removes the clone. Otherwise it would be killed with this pid namespace.
    "$2" --store "$3" gc
    exit $((ended - 143))' bash "$ISOLATE" "$ISOLATECTL" "$STORE" "$SCRATCH/ready"
  expect_output isolate-init
}
