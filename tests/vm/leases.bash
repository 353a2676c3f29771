# Many leases of a member at a time, each of which works on one of the member's files. For test files that load
# daemon.bash.
# shellcheck shell=bash
# shellcheck disable=SC2154 # helpers.bash sets them

# start_leases NUMBER FOLDER: starts runs that write into FOLDER and wait there until finish_leases, and then write
# their results. They write to their own roots as well.
start_leases() {
  local number folder=$2
  as_caller mkdir -p "$folder"
  for ((number = 1; number <= $1; number++)); do
    as_caller mkfifo "$folder/go-$number"
    "${CALLER[@]}" setsid "$ISOLATE" -q -z zfs:debisl -d "$folder:/mnt" sh -c \
      'echo begun >/mnt/$0; echo text >/file; read -r _ </mnt/go-$0; cat /file >>/mnt/$0; exec sleep 0.2' "$number" \
      </dev/null >>"$folder/out" 2>&1 3>&- &
    STARTED+=("$!")
  done
  wait_until 120 leases_have_begun "$1" "$folder" || complain "not all have begun: $(ls "$folder"; cat "$folder/out")"
  wait_until 10 leases_are "$1" || complain "not leased: $(isolatectl pool list)"
}
leases_have_begun() { [[ $(cat "$2"/[0-9]* 2>/dev/null | grep -c begun) == "$1" ]]; }
leases_are() { pool_is debisl leased "$1"; }

finish_leases() {
  local number folder=$2
  for ((number = 1; number <= $1; number++)); do
    [[ $(<"$folder/$number") == begun ]] || complain "run $number did not wait: $(cat "$folder/$number" "$folder/out")"
    timeout 10 sh -c 'echo >"$1"' sh "$folder/go-$number" || complain "run $number is gone: $(cat "$folder/out")"
  done
  for number in "${STARTED[@]}"; do wait "$number" || complain "a run failed: $(cat "$folder/out")"; done
  for ((number = 1; number <= $1; number++)); do
    [[ $(<"$folder/$number") == $'begun\ntext' ]] || complain "run $number: $(cat "$folder/$number" "$folder/out")"
  done
  [[ ! -s $folder/out ]] || complain "the runs printed: $(cat "$folder/out")"
}
