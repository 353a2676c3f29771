# variants: root-bwrap user-lxc user-native: each identity and each engine once, as no test depends on the pair
# other variants: user-bwrap root-lxc root-native root-warm user-warm
# --status-fd: what isolate reports to the program that starts it, as one JSON object a line.

load helpers

# Runs isolate. The lines that it writes to the status fd are in $SCRATCH/status, its exit status in STATUS.
run_with_status_fd() {
  STATUS=0
  isolate -q --status-fd 7 "$@" 7>"$SCRATCH/status" >"$SCRATCH/out" 2>"$SCRATCH/err" || STATUS=$?
  # Each line must be an object by itself.
  while IFS= read -r line; do jq -e 'type == "object"' <<<"$line" >/dev/null; done <"$SCRATCH/status"
}
status_value() { jq -r -s "$1" "$SCRATCH/status"; }

@test "start and end are reported, with the clone, which is the host name inside" {
  run_with_status_fd -z debian sh -c 'uname -n; exit 3'
  [[ $STATUS == 3 ]]
  [[ $(status_value 'map(.event) | join(" ")') == 'started ended' ]]
  [[ $(status_value '.[0].clone') == "$(cat "$SCRATCH/out")" ]]
  [[ $(status_value '.[0].pid | type') == number ]]
  [[ $(status_value '.[1].code') == 3 ]]
}

@test "an end by a signal is reported as that signal" {
  run_with_status_fd -z debian sh -c 'kill -KILL $$'
  [[ $STATUS == 137 ]]
  [[ $(status_value '.[-1] | "\(.event) \(.signal) \(has("code"))"') == 'ended 9 false' ]]
}

@test "the pid is a host pid of a process in the guest" {
  mkfifo -m 0666 "$SCRATCH/status"
  "${CALLER[@]}" "$ISOLATE" --store "$STORE" -q --status-fd 7 -z debian sleep "$MARK" 7>"$SCRATCH/status" 3>&- &
  STARTED+=($!)
  local line pid
  read -r -t 10 line <"$SCRATCH/status"
  pid=$(jq -r .pid <<<"$line")
  [[ $(readlink "/proc/$pid/ns/pid") != $(readlink /proc/self/ns/pid) ||
    $(readlink "/proc/$pid/ns/pid_for_children") != $(readlink /proc/self/ns/pid) ]]
  [[ $(readlink "/proc/$pid/ns/mnt") != $(readlink /proc/self/ns/mnt) ]]
  kill -TERM "$pid" || true
  kill -TERM "${STARTED[0]}" || true
  wait_until 5 no_process_with "$MARK"
}

@test "a failure of isolate is reported with its step and reason" {
  run_with_status_fd -z debian -d /no/such/source:/x true
  [[ $STATUS == 125 ]]
  [[ $(status_value '.[-1].event') == failed ]]
  [[ -n $(status_value '.[-1].step // empty') ]]
  [[ $(status_value '.[-1].reason') == *'No such file'* ]]
}

@test "a missing command is reported" {
  run_with_status_fd -z debian no-such-command
  [[ $STATUS == 127 ]]
  [[ $(status_value 'length') -ge 1 ]]
  [[ $(status_value '.[-1].event') =~ ^(ended|failed)$ ]]
}

@test "bytes that JSON must escape are escaped" {
  run_with_status_fd -z debian -d $'/no"such\\source\n\t\x01:/x' true
  [[ $STATUS == 125 ]]
  [[ $(status_value '.[-1].event') == failed ]]
}

@test "a run continues if the reader of its status has gone" {
  local status=0
  mkfifo "$SCRATCH/status"
  # Both ends are open for a moment, then only the writer is left.
  exec 8<>"$SCRATCH/status"
  exec 9>"$SCRATCH/status" 8<&-
  isolate -q --status-fd 9 -z debian sh -c 'exit 4' || status=$?
  exec 9>&-
  [[ $status == 4 ]]
}
