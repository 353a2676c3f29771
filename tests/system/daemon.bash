# The daemon `isolated` on the stores of stores.bash, with its own /run/isolate, and users inside and outside the group
# `isolate`. Load it after helpers and stores.
#
#   HERE      the words in front of a command that run it where the daemon is; $! is then the command's pid
#   MEMBER    the same for user a with the group `isolate`, MEMBER_B for user b with it, OUTSIDER for user b without it
#   TOOLS     copies of the Python programs where ordinary users can reach them
#   MEMBER_HOME, MEMBER_B_HOME   their homes, with no store unless a test makes one
# shellcheck shell=bash
# shellcheck disable=SC2034,SC2153,SC2154  # the test files use them; others set them

PRIVATE_RUN=yes
ISOLATED=$BINDIR/isolated
SOCKET=/run/isolate/org.isolate.Manager
LOCK_OF_DAEMON=/run/isolate/isolated.lock

# --- setting up and cleaning up ---------------------------------------------------------------------------------------

# Call these in setup_file and teardown_file. make_daemon SIZE: registers each kind's pool of "deb" with that size.
make_daemon() {
  local kind
  make_stores
  mkdir -m 0755 "$STORES/tools"
  cp "$HELPERS"/{varlink_client,daemon_*,crash_*}.py "$STORES/tools/"
  chmod 0644 "$STORES/tools"/*
  install -d -m 0700 -o "$USER_A_UID" -g "$USER_A_GID" "$STORES/home-a"
  install -d -m 0700 -o "$USER_B_UID" -g "$USER_B_GID" "$STORES/home-b"
  words_of_members
  for kind in "${KINDS[@]}"; do refresh "$kind" "$1"; done
  if has_kind zfs; then ctl pool range zfs:deb "$ZFS_BASE"; fi
  start_daemon
}
remove_daemon() {
  [[ -s $HOLDER ]] || return 0
  stop_daemon KILL
  remove_stores
}

# For tests that start their own daemons.
setup_without_daemon() {
  daemon_setup
  stop_daemon
}
daemon_setup() {
  common_setup
  words_of_members
  if ! daemon_runs; then start_daemon; fi
}
# common_teardown reports and removes what a test left behind. The daemon's log is shown if the test failed.
daemon_teardown() {
  local status=0
  [[ -n ${BATS_TEST_COMPLETED-} ]] || tail -n 20 "$STORES/daemon.log" >&2
  common_teardown || status=1
  return "$status"
}
setup() { daemon_setup; }
teardown() { daemon_teardown; }

words_of_members() {
  local group
  group=$(getent group isolate | cut -d : -f 3)
  GROUP_GID=$group
  TOOLS=$STORES/tools
  MEMBER_HOME=$STORES/home-a
  MEMBER_B_HOME=$STORES/home-b
  HERE=(nsenter "--mount=/proc/$(cat "$HOLDER")/ns/mnt" --)
  words_of_user "$USER_A_UID" "$USER_A_GID" "$MEMBER_HOME" "--groups=$group"
  MEMBER=("${WORDS[@]}")
  words_of_user "$USER_B_UID" "$USER_B_GID" "$MEMBER_B_HOME" "--groups=$group"
  MEMBER_B=("${WORDS[@]}")
  words_of_user "$USER_B_UID" "$USER_B_GID" "$MEMBER_B_HOME" --clear-groups
  OUTSIDER=("${WORDS[@]}")
}
# Like words_of_caller, with groups that need not be in /etc/group.
words_of_user() {
  words_of_caller "$1" "$2" "$3"
  WORDS=("${HERE[@]}" "${CALLER[@]/--init-groups/$4}")
  set_identity
}
member() { "${MEMBER[@]}" "$@"; }
member_b() { "${MEMBER_B[@]}" "$@"; }
outsider() { "${OUTSIDER[@]}" "$@"; }

# --- the daemon -------------------------------------------------------------------------------------------------------

# Starts the daemon on the main store, and returns when it serves.
start_daemon() {
  spawn_daemon "$ISOLATED" --store "$MAIN"
  wait_until 20 daemon_answers || complain "the daemon does not answer: $(tail -n 5 "$STORES/daemon.log")"
}
# spawn_daemon COMMAND...: starts any command as the daemon, without waiting.
spawn_daemon() {
  local clean=(env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin "ASAN_OPTIONS=$ASAN_OPTIONS" "UBSAN_OPTIONS=$UBSAN_OPTIONS")
  "${HERE[@]}" "${clean[@]}" "$@" </dev/null >>"$STORES/daemon.log" 2>&1 3>&- &
  DAEMON_PID=$!
  echo "$DAEMON_PID" >"$STORES/daemon.pid"
}
# stop_daemon [SIGNAL]: the default is TERM. Leaves the status in STATUS if the daemon is a child of this shell.
stop_daemon() {
  local pid
  pid=$(daemon_pid)
  STATUS=0
  if [[ -n $pid ]]; then
    kill -"${1:-TERM}" "$pid" 2>/dev/null || true
    wait_until 20 process_ended "$pid" || complain "the daemon does not exit" || return 1
    { wait "$pid" || STATUS=$?; } 2>/dev/null
    rm -f "$STORES/daemon.pid"
  fi
}
restart_daemon() {
  stop_daemon "$@"
  start_daemon
}
daemon_pid() { cat "$STORES/daemon.pid" 2>/dev/null || true; }
daemon_runs() {
  local pid
  pid=$(daemon_pid)
  [[ -n $pid ]] && ! process_ended "$pid"
}
# A zombie has ended. Its parent decides when it disappears.
process_ended() {
  local state
  state=$(ps -o stat= -p "$1") || return 0
  [[ $state == Z* ]]
}
daemon_answers() { here /usr/bin/python3 -E -s -B "$STORES/tools/varlink_client.py" call org.varlink.service.GetInfo >/dev/null 2>&1; }
expect_same_daemon() {
  local answer
  daemon_answers || complain "the daemon stopped answering"
  answer=$(varlink_pid)
  [[ $answer == "$(daemon_pid)" ]] || complain "another daemon answers: $answer instead of $(daemon_pid)"
}
varlink_pid() { in_words HERE call org.isolate.Manager.GetStatus | jq .pid; }

# --- what members do --------------------------------------------------------------------------------------------------

# in_words WORDS MODE ARGUMENT...: runs varlink_client.py as MEMBER, MEMBER_B, OUTSIDER or HERE (root).
in_words() {
  local -n words_in_front=$1
  shift
  "${words_in_front[@]}" /usr/bin/python3 -E -s -B "$TOOLS/varlink_client.py" "$@"
}
tool() { words_of_tool "$1" && shift && "${TOOL[@]}" "$@"; }
# words_of_tool NAME: sets TOOL to the words that run tools/NAME.py.
words_of_tool() { TOOL=(/usr/bin/python3 -E -s -B "$TOOLS/$1.py"); }

# Prints the name by which a member reaches a kind's template.
template_of() { echo "$1:deb"; }
# run_in KIND OPTION... COMMAND...: runs a command of the member on that kind's template.
run_in() {
  local template
  template=$(template_of "$1")
  shift
  member "$ISOLATE" -q -z "$template" "$@"
}
# start_words WORDS COMMAND...: starts a command in the background. Its pid is in STARTED_PID; its output goes to
# $SCRATCH/$OUT (or "out"), and its errors to the same name with .err.
start_words() {
  local -n words_in_front=$1
  local out=$SCRATCH/${OUT:-out}
  shift
  : >"$out"
  "${words_in_front[@]}" "$@" </dev/null >"$out" 2>"$out.err" 3>&- &
  STARTED_PID=$!
  STARTED+=("$STARTED_PID")
}
# start_member_guest OPTION...: starts a member's guest on the overlay's template. It prints its clone's id and sleeps.
start_member_guest() {
  local template
  template=$(template_of "${KIND:-overlay}")
  start_words "${WORDS_OF:-MEMBER}" "$ISOLATE" -q -z "$template" "$@" sh -c "uname -n; exec sleep $MARK"
  wait_until 60 guest_sleeps || complain "no guest: $(cat "$SCRATCH/out.err")"
  CLONE=$(cat "$SCRATCH/out")
}
guest_sleeps() { [[ -s $SCRATCH/out ]] && GUEST_PID=$(pgrep --full -- "^sleep $MARK"); }

# Makes a directory of the member, for binds.
make_shared() {
  SHARED=$SCRATCH/shared
  install -d -m 0755 -o "$USER_A_UID" -g "$USER_A_GID" "$SHARED"
}

# --- what is left -----------------------------------------------------------------------------------------------------

# settles KIND SIZE [SECONDS]: waits until there are exactly SIZE fresh clones and nothing else.
settles() {
  wait_until "${3:-60}" is_settled "$1" "$2" ||
    complain "$1: expected $2 fresh clones: $(ctl pool status "$1:deb" --json) $(clones_of "$1" | tr '\n' ' ')"
}
is_settled() {
  [[ $(ctl pool status "$1:deb" --json | jq -c '.[0] | [.size, .fresh, .leased, .kept, .waiting]') == "[$2,$2,0,0,0]" ]] &&
    [[ $(number_of_clones "$1") == "$2" ]]
}
# Counts the descriptors of the daemon itself, because its children come and go.
descriptors_of_daemon() { find "/proc/$(daemon_pid)/fd" -mindepth 1 -maxdepth 1 | wc -l; }
children_of_daemon() { pgrep --parent "$(daemon_pid)" || true; }
daemon_has_no_children() { [[ -z $(children_of_daemon) ]]; }
# The daemon's log from a moment on: call remember_log, later log_since.
remember_log() { LOG_LINES=$(wc -l <"$STORES/daemon.log"); }
log_since() { tail -n "+$((LOG_LINES + 1))" "$STORES/daemon.log"; }
log_has() { log_since | grep -Eq -- "$1"; }

# --- crashes ----------------------------------------------------------------------------------------------------------

# rounds KIND OPTION...: runs crash_rounds.py on that kind's pool of SIZE, with its own daemon.
rounds() {
  local kind=$1 place=$MAIN
  shift
  if [[ $kind == btrfs ]]; then place=$STORES/btrfs/store; fi
  words_of_tool crash_rounds
  here "${TOOL[@]}" --isolate "$ISOLATE" --isolated "$ISOLATED" --store "$MAIN" --kind "$kind" --place "$place" \
    --size "$SIZE" --group "$GROUP_GID" --log "$STORES/daemon.log" \
    --member "$USER_A_UID:$USER_A_GID" --member "$USER_B_UID:$USER_B_GID" "$@"
}
# no_faults NUMBER: expects that the rounds just run were NUMBER and had no fault.
no_faults() {
  echo "# ${lines[-1]}" >&3
  [[ $status == 0 ]] || complain "$(grep ^fault <<<"$output")"
  [[ ${lines[-1]} == "$1 rounds, "*' 0 faults'* ]] || complain "rounds"
}
# planted_faults_are_found KIND: expects the rounds to notice the planted fault of a daemon.
planted_faults_are_found() {
  run rounds "$1" --rounds 0 --plant
  [[ $status == 1 && $output == *'a used clone is fresh'* ]] || complain "the planted fault was not noticed"
  run rounds "$1" --rounds 1 --plant --seed 1
  [[ $status == 1 ]] || complain "the planted fault was not noticed"
  refresh "$1" -f "$SIZE"
}
