# Guests of members that all run at the same time, each in its own clone. Load it after helpers. A test file defines
#   start_guest OPTION... COMMAND...   starts a member's run on its template in the background; adds its pid to STARTED,
#                                      and writes its output to $SCRATCH/$OUT
# shellcheck shell=bash
# shellcheck disable=SC2034,SC2154  # the test files use them; others set them

# A guest gets its number in $0. It marks its clone, which must be new, and waits for a byte from a pipe. Then it prints
# its mark and its clone's name, if the clone is still its own and complete.
GUEST='test ! -e /mark || { echo used; exit 1; }
  echo "$0" >/mark; echo up; read -r go </s/go; cat /mark; test -e /etc/debian_version && uname -n'

# start_guests NUMBER [SECONDS]: starts the guests and returns when all are up.
start_guests() {
  local number
  GUESTS=$1
  install -d -m 0755 "$SCRATCH/pipe"
  mkfifo -m 0644 "$SCRATCH/pipe/go"
  exec {GO}<>"$SCRATCH/pipe/go"
  for ((number = 1; number <= GUESTS; number++)); do
    OUT=guest-$number start_guest -d "$SCRATCH/pipe:/s" sh -c "$GUEST" "$number"
  done
  wait_until "${2:-120}" guests_have_said up ||
    complain "$(grep -lx up "$SCRATCH"/guest-*[0-9] | wc -l) of $GUESTS are up: $(cat "$SCRATCH"/guest-*.err)"
}
guests_have_said() { [[ $(grep -lx "$1" "$SCRATCH"/guest-*[0-9] | wc -l) == "$GUESTS" ]]; }
all_live() {
  local pid
  for pid in "${STARTED[@]}"; do [[ -e /proc/$pid ]] || complain "a run has ended: $pid" || return 1; done
}

# end_guests: lets all guests continue, and expects that they find their own marks, succeed without any message, and
# each had its own clone. The names of the clones are in $SCRATCH/clones.
end_guests() {
  local number pid status=0
  printf '%0*d' "$GUESTS" 0 | tr 0 '\n' >&"$GO"
  for pid in "${STARTED[@]}"; do wait "$pid" || status=1; done
  exec {GO}>&-
  [[ $status == 0 && -z $(cat "$SCRATCH"/guest-*.err) ]] || complain "runs failed: $(cat "$SCRATCH"/guest-*)"
  for ((number = 1; number <= GUESTS; number++)); do
    [[ $(sed -n 2p "$SCRATCH/guest-$number") == "$number" ]] || complain "guest $number: $(cat "$SCRATCH/guest-$number")"
  done
  sed -n 3p --separate "$SCRATCH"/guest-*[0-9] | sort >"$SCRATCH/clones"
  [[ $(wc -l <"$SCRATCH/clones") == "$GUESTS" ]] || complain "names of clones: $(cat "$SCRATCH/clones")"
  [[ -z $(uniq -d "$SCRATCH/clones") ]] || complain "in two runs: $(uniq -d "$SCRATCH/clones")"
}

# all_are_reaped [SECONDS]: expects that the daemon has leased exactly the clones of the guests, and has destroyed each.
all_are_reaped() {
  log_since | sed -n 's/.*leased \([^ ]*\) of .*/\1/p' | sort >"$SCRATCH/leased"
  cmp "$SCRATCH/clones" "$SCRATCH/leased" || complain "the daemon leased other clones"
  wait_until "${1:-60}" has_reaped_the_leased || complain "not reaped: $(comm -23 "$SCRATCH/leased" "$SCRATCH/reaped")"
}
has_reaped_the_leased() {
  log_since | sed -n 's/.*reaped \([^ ]*\).*/\1/p' | sort >"$SCRATCH/reaped"
  [[ -z $(comm -23 "$SCRATCH/leased" "$SCRATCH/reaped") ]]
}
