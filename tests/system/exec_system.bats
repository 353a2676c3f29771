# variants: root-bwrap
# templates: system
# isolatectl exec in a root with its own init, which the lxc engine boots, with isolate-init beside it.

load helpers

# start_system SCRIPT: starts a run that executes the script first. Its clone is in CLONE.
start_system() {
  start_isolate -q -e lxc -z system sh -c "($1); echo up; exec sleep $MARK"
  wait_until 30 grep -qx up "$SCRATCH/out"
  CLONE=$(isolatectl --json ps | jq -r '.[0].clone')
}

RIGHTS='cat /proc/1/comm; grep -E "^(Cap|NoNewPrivs|Seccomp)" /proc/self/status; for n in cgroup ipc mnt net pid user uts; do
  readlink /proc/self/ns/$n; done; ls /proc/$$/fd'

@test "a command beside an init has the rights of the first one, and ends with the system" {
  start_system "$RIGHTS"
  succeeds isolatectl exec "$CLONE" sh -c "$RIGHTS"
  [[ ${lines[0]} == systemd && $output == "$(sed '/^up$/d' "$SCRATCH/out")" ]] ||
    complain "$(diff <(echo "$output") "$SCRATCH/out")"
  run isolatectl exec "$CLONE" sh -c 'kill -HUP $$'
  expect_status 129
  [[ $(echo 'tty; exit' | isolatectl exec -t "$CLONE" sh) == *"/dev/pts/"* ]]
  [[ $(isolatectl --json ps | jq '.[0].tasks') -ge 4 ]] || complain "ps does not count the system's processes"
  succeeds isolatectl kill "$CLONE"
  end_of_started 2>/dev/null
  [[ $STATUS == 137 ]]
}

@test "orphans of a further command stay until the system ends, and the command ends when isolatectl is killed" {
  start_system true
  succeeds isolatectl exec "$CLONE" sh -c "setsid sleep 1$MARK >/dev/null 2>&1 </dev/null & exit 0"
  a_process_with "^sleep 1$MARK"
  start "$ISOLATECTL" --store "$STORE" exec "$CLONE" sleep "2$MARK"
  wait_until 10 a_process_with "^sleep 2$MARK"
  kill_started KILL
  wait_until 3 no_process_with "^sleep 2$MARK"
  isolatectl kill "$CLONE"
  wait_until 3 no_process_with "^sleep 1$MARK"
}
