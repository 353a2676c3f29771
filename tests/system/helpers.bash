# Every test file loads this. The same tests run as root and as an ordinary user: $IDENTITY says which.
#
# WORK USER_A USER_A_UID USER_B USER_B_UID SUBORDINATE_BASE ISOLATE ISOLATECTL TARBALL come from the runner. Set here:
#   STORE     the identity's own store, with the template "debian"
#   TREE      a Debian root owned by the identity's ids, for -t; tests do not change it
#   CALLER    the words in front of a command that run it as the identity, with a clean environment
#   SCRATCH   a directory for this test, owned by the identity, removed at its end
# shellcheck shell=bash
# shellcheck disable=SC2034,SC2154  # the test files use them; bats sets stderr_lines

HELPERS=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)

set_identity() {
  local home
  if [[ $IDENTITY == root ]]; then
    CALLER_UID=0 CALLER_GID=0
    home=$WORK/home-root
    STORE=$WORK/store-root
    TREE=$WORK/tree-root
  else
    CALLER_UID=$USER_A_UID CALLER_GID=$USER_A_GID
    home=$WORK/home-$USER_A
    STORE=$home/.local/share/isolate
    TREE=$WORK/tree-user
  fi
  CALLER_HOME=$home
  words_of_caller "$CALLER_UID" "$CALLER_GID" "$home"
}

# Resets signals that bash ignores in background jobs, so that programs start as from an interactive shell. With
# LXC_NET_BR the engine lxc treats -n as the others do.
words_of_caller() {
  local uid=$1 gid=$2 home=$3
  CALLER=(env -i "--default-signal=HUP,INT,QUIT,PIPE,TERM" "HOME=$home" "XDG_CONFIG_HOME=$home/.config"
    "XDG_DATA_HOME=$home/.local/share" PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
    LANG=C.UTF-8 TERM=dumb LXC_NET_BR=none "ASAN_OPTIONS=$ASAN_OPTIONS" "UBSAN_OPTIONS=$UBSAN_OPTIONS"
    setpriv "--reuid=$uid" "--regid=$gid" --init-groups --)
}

as_caller() { "${CALLER[@]}" "$@"; }

# isolate on the identity's store, and its usual case: a clone of the test template.
isolate() { as_caller "$ISOLATE" --store "$STORE" "$@"; }
in_clone() { isolate -q -z debian "$@"; }
isolatectl() { as_caller "$ISOLATECTL" --store "$STORE" "$@"; }
# The same with variables in isolate's environment: with_variables A=B ... -- OPTION... COMMAND...
with_variables() {
  local variables=()
  while [[ $1 != -- ]]; do
    variables+=("$1")
    shift
  done
  shift
  as_caller env "${variables[@]}" "$ISOLATE" --store "$STORE" "$@"
}

# Runs a command as the identity in its own mount namespace, after root has run SETUP there.
in_private_mounts() {
  local setup=$1
  shift
  unshare --mount --propagation private sh -ec "$setup"'
    exec "$@"' sh "${CALLER[@]}" "$@"
}

# Runs a command as the identity in a user namespace that maps every id to itself, with a limit of /proc/sys/user. Ids
# can be mapped only once the namespace exists, and root gets its rights back at the next exec.
with_kernel_limit() {
  local limit=$1 value=$2 pid status=0
  shift 2
  mkfifo "$SCRATCH/mapped"
  unshare --user sh -c 'read -r _ <"$1"; shift; exec sh -c "$@"' sh "$SCRATCH/mapped" \
    'echo "$1" >"/proc/sys/user/$0" && shift && exec "$@"' "$limit" "$value" "${CALLER[@]}" "$@" 3>&- &
  pid=$!
  # Wait until unshare has made the namespace. Before, the process is still in ours, whose map can't be written.
  wait_until 5 another_user_namespace "$pid" && echo 0 0 4294967295 >"/proc/$pid/uid_map" &&
    echo 0 0 4294967295 >"/proc/$pid/gid_map" && echo >"$SCRATCH/mapped"
  wait "$pid" || status=$?
  rm "$SCRATCH/mapped"
  return "$status"
}
another_user_namespace() { [[ $(readlink "/proc/$1/ns/user") != "$(readlink /proc/self/ns/user)" ]]; }

# --- setting up and cleaning up ---------------------------------------------------------------------------------------

setup() { common_setup; }
teardown() { common_teardown; }

common_setup() {
  cd "$WORK" || return 1
  SCRATCH=$WORK/scratch/$IDENTITY-$(basename "$BATS_TEST_FILENAME" .bats)-$BATS_TEST_NUMBER
  mkdir -m 0755 "$SCRATCH"
  chown "$CALLER_UID:$CALLER_GID" "$SCRATCH"
  MARK=77$(printf '%06d' "$((RANDOM * 32768 + RANDOM))")$BATS_TEST_NUMBER
  STARTED=()
}

# Runs after every test, which must leave no processes and no files. Whatever is left is removed by force, so that the
# next test starts clean.
common_teardown() {
  local pid status=0
  # A run that has ended may still be removing its clone, which is not an error.
  wait_until 3 trash_is_empty "$STORE" || true
  for pid in "${STARTED[@]}"; do kill -KILL "$pid" 2>/dev/null; done
  if ! wait_until 2 no_process_with "$MARK|$SCRATCH/"; then
    echo "still running:" >&2
    pgrep --full --list-full -- "$MARK|$SCRATCH/" >&2
    for pid in $(processes_with "$MARK|$SCRATCH/"); do kill -KILL "$pid"; done
    status=1
  fi
  if ! wait_until 3 store_is_clean "$STORE"; then
    echo "left in the store:" >&2
    state_in "$STORE" >&2
    state_in "$STORE" | xargs --delimiter '\n' rm -rf --one-file-system
    status=1
  fi
  cd / || status=1
  unmount_scratch || status=1
  rm -rf --one-file-system "$SCRATCH" || status=1
  return "$status"
}

unmount_scratch() {
  local target status=0
  while read -r target; do
    umount "$target" || status=1
  done < <(findmnt --raw --noheadings --output TARGET | grep -F "$SCRATCH" | sort --reverse)
  return "$status"
}

# Prints the clones, leases and partial files of a store, a line each.
state_in() { find "$1"/{clones,drafts,trash} "$1"/pools/*/{making,leased,trash} -mindepth 1 -maxdepth 1 2>/dev/null; }
trash_is_empty() { [[ -z $(find "$1"/pools/*/trash -mindepth 1 -maxdepth 1 2>/dev/null) ]]; }
store_is_clean() { [[ -z $(state_in "$1") ]]; }
# A run that has ended may still be removing its clone.
store_gets_clean() { wait_until 5 store_is_clean "$STORE"; }

# Makes a root of the identity that a test may change. Its directories are its own, and its files are hard links to
# those of TREE. /usr/share is empty.
copy_of_tree() { cp -a --link "$TREE-small" "$1"; }

# Makes a root in which everything belongs to the user's subordinate range.
make_tree_of_range() {
  mkdir "$1"
  chown "$SUBORDINATE_BASE:$SUBORDINATE_BASE" "$1"
  as_caller unshare --user --map-users="$SUBORDINATE_BASE,0,65536" --map-groups="$SUBORDINATE_BASE,0,65536" \
    --setuid 0 --setgid 0 tar --extract --numeric-owner --preserve-permissions --exclude './dev/*' \
    --exclude './usr/share/*' --directory "$1" --file "$TARBALL"
}

# Prints a text that is equal for equal trees: byte for byte, with owners, modes, times and attributes.
fingerprint() { /usr/bin/python3 -I -S "$HELPERS/fingerprint" "$@"; }

# Prints the mounts of the host, without those that tests of the other identity make at the same time.
mounts() {
  findmnt --raw --noheadings --output TARGET,SOURCE,FSTYPE |
    awk -v own="$WORK/scratch/$IDENTITY-" -v all="$WORK/scratch/" 'index($0, own) || !index($0, all)' | sort
}

# Expects no mounts besides those that mounts() printed before, and prints the new ones.
no_new_mounts() {
  local new
  new=$(comm -13 <(printf '%s\n' "$1") <(mounts))
  [[ -z $new ]] || complain "new mounts: $new"
}

# --- processes --------------------------------------------------------------------------------------------------------

# Starts a command as the identity in the background. Its pid is in STARTED_PID, its output in $SCRATCH/out and err.
start() {
  : >"$SCRATCH/out" # remove the output of an earlier command
  "${CALLER[@]}" "$@" </dev/null >"$SCRATCH/out" 2>"$SCRATCH/err" 3>&- &
  STARTED_PID=$!
  STARTED+=("$STARTED_PID")
}
start_isolate() { start "$ISOLATE" --store "$STORE" "$@"; }

# Waits for the started command. Its exit status is in STATUS.
end_of_started() {
  STATUS=0
  wait "$STARTED_PID" || STATUS=$?
}

# kill_started SIGNAL: sends a signal and waits in the same way, without a message from bash.
kill_started() {
  STATUS=0
  { kill -"$1" "$STARTED_PID" && wait "$STARTED_PID" || STATUS=$?; } 2>/dev/null
}

# processes_with PATTERN: prints the processes whose command line matches. A mark is a number that no other test uses.
processes_with() { pgrep --full -- "$1"; }
no_process_with() { [[ -z $(processes_with "$1") ]]; }
a_process_with() { [[ -n $(processes_with "$1") ]]; }
# Matches the command itself, but not isolate's command line, which also holds the mark.
a_guest_sleeps() { a_process_with "^sleep $MARK"; }

# unless_long FEW MANY: prints FEW, or MANY if the whole ./dev test runs.
unless_long() { if [[ ${ISOLATE_TEST_LONG:-} == 1 ]]; then echo "$2"; else echo "$1"; fi; }

# wait_until SECONDS COMMAND...: repeats the command until it succeeds or the time is over.
wait_until() {
  local until=$((${EPOCHREALTIME/./} + $1 * 1000000))
  shift
  until "$@"; do
    [[ ${EPOCHREALTIME/./} -lt $until ]] || return 1
    sleep 0.05
  done
}

# --- expectations -----------------------------------------------------------------------------------------------------

complain() {
  echo "$*" >&2
  echo "status: ${status-}" >&2
  printf 'stdout: %s\nstderr: %s\n' "${output-}" "${stderr-}" >&2
  return 1
}

# Expects a command to fail, because bats does not notice a failed "!".
refute() { if "$@"; then complain "this should have failed: $*"; fi; }

expect_status() { [[ $status == "$1" ]] || complain "expected status $1"; }
expect_output() { [[ $output == "$1" ]] || complain "expected the output: $1"; }
expect_in_output() { [[ $output == *"$1"* ]] || complain "expected in the output: $1"; }
expect_not_in_output() { [[ $output != *"$1"* ]] || complain "not expected in the output: $1"; }
expect_in_errors() { [[ ${stderr,,} == *"${1,,}"* ]] || complain "expected on stderr: $1"; }
expect_no_errors() { [[ -z $stderr ]] || complain "expected nothing on stderr"; }

# Runs a command that must succeed. Its output is in $output, its errors are in $stderr.
succeeds() {
  run --separate-stderr "$@"
  expect_status 0
}

# Runs one of our commands, which must fail with a status, nothing on stdout, and one line on stderr that contains each
# TEXT.
#   fails_plainly STATUS PROGRAM TEXT... -- COMMAND...
fails_plainly() {
  local expected=$1 program=$2 texts=() text
  shift 2
  while [[ $1 != -- ]]; do
    texts+=("$1")
    shift
  done
  shift
  run --separate-stderr "$@"
  FAILED_COMMAND="${*}"
  [[ $status == "$expected" ]] || complain "expected status $expected of: $FAILED_COMMAND"
  [[ -z $output ]] || complain "expected nothing on stdout of: $FAILED_COMMAND"
  one_error_line "$program"
  for text in "${texts[@]}"; do expect_in_errors "$text"; done
}

# Expects one line "PROGRAM: error: ...", and besides it only warnings and the progress that isolatectl reports.
one_error_line() {
  local line errors=0
  for line in "${stderr_lines[@]}"; do
    case $line in
      "$1: error: "?*) errors=$((errors + 1)) ;;
      "$1: warning: "?*) ;;
      "template "*": "?*) [[ $1 == isolatectl ]] || complain "not a line of $1: $line" || return 1 ;;
      *) complain "not a line of $1: $line" || return 1 ;;
    esac
  done
  [[ $errors == 1 ]] || complain "expected one error line, not $errors, of: ${FAILED_COMMAND-}"
}

isolate_refuses() { fails_plainly 125 isolate "$@"; }
isolatectl_refuses() { fails_plainly 1 isolatectl "$@"; }

if declare -F bats_require_minimum_version >/dev/null; then bats_require_minimum_version 1.5.0; fi
set_identity
