# Makes warm guests for a benchmark before it begins, so that none is made while it measures.
# shellcheck shell=bash
# shellcheck disable=SC2154 # the script that sources this file sets work, which holds bin, store and log

# hold_guests NUMBER: makes as many warm guests of the template "plain". They end when nobody reads their events any more;
# guests_reader is the pid of the process that does.
hold_guests() {
  local number
  say "making $1 warm guests"
  mkfifo "$work/events"
  cat "$work/events" >"$work/events.log" &
  # shellcheck disable=SC2034 # the script that sources this file ends this process
  guests_reader=$!
  exec 8>"$work/events"
  for ((number = 1; number <= $1; number++)); do
    setsid "$work/bin/isolate" --store "$work/store" -e native -z plain --hold --status-fd 1 </dev/null >&8 2>>"$work/log" 8>&- &
    until (($(grep -c ready "$work/events.log") == number)); do
      kill -0 $! || die "a warm guest could not be made"
      sleep 0.01
    done
  done
  exec 8>&-
}
