#!/usr/bin/env bash
# background.sh COMMAND...: runs a command with the lowest priority. Start it with setsid: where the kernel groups the processes of
# each session (sched(7), "The autogroup feature"), nice(1) alone has no effect on other sessions.
set -euo pipefail
{ echo 19 >/proc/self/autogroup; } 2>/dev/null || true
exec nice -n 19 "$@"
