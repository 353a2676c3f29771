# variants: root-bwrap user-lxc user-native root-warm: each identity and each engine once, as no test depends on the pair
# other variants: user-bwrap root-lxc root-native user-warm
# Descriptors 0, 1 and 2 are only streams, in the direction in which the caller opened them: cases F7 to F12.

# shellcheck disable=SC2016 # scripts are for the shells that the tests start

load helpers
load attacks

setup_file() { place_attacks; }
teardown_file() { remove_attacks; }

# Makes a file of the caller that others may read, as scripts and logs are.
make_file() {
  printf 'one\ntwo\n' >"$SCRATCH/$1"
  chown "$CALLER_UID:$CALLER_GID" "$SCRATCH/$1"
  chmod 0644 "$SCRATCH/$1"
}
is_unchanged() {
  # isolate itself may have added warnings to the log.
  [[ $(grep -v '^isolate: warning: ' "$SCRATCH/$1") == $'one\ntwo' && $(stat -c '%a %u' "$SCRATCH/$1") == "644 $CALLER_UID" ]] ||
    complain "$1 was changed: $(stat -c '%a %u' "$SCRATCH/$1"): $(cat "$SCRATCH/$1")"
}
# in_streams REDIRECTIONS COMMAND...: runs the command with streams that the identity itself opens.
in_streams() {
  local redirections=$1
  shift
  as_caller sh -c "exec \"\$@\" $redirections" sh "$@"
}
# The words that start a guest with the attacks, for in_streams.
GUEST=()
words_of_guest() { GUEST=("$ISOLATE" --store "$STORE" -q -z debian -d "$ATTACKS:/mnt:ro" "$@"); }

setup() {
  common_setup
  words_of_guest
}

@test "F7 control: outside, a program can rewrite its input, and read and truncate a log that it appends to" {
  make_file script
  in_streams "<$SCRATCH/script" "$ATTACKS/attack" stream-rewrite 0
  [[ $(cat "$SCRATCH/script") == evil ]]
  make_file log
  run in_streams "3>>$SCRATCH/log" "$ATTACKS/attack" stream-read 3
  expect_in_output 'read: one'
  in_streams "3>>$SCRATCH/log" "$ATTACKS/attack" stream-truncate 3
  [[ ! -s $SCRATCH/log ]]
}

@test "F7: a file is a stream in the direction in which the caller opened it" {
  local words
  for words in '' '-e chroot'; do
    [[ $words != '' && $IDENTITY == root ]] && continue # root's chroot is no boundary
    # shellcheck disable=SC2086
    words_of_guest $words
    make_file script
    run in_streams "<$SCRATCH/script" "${GUEST[@]}" /mnt/attack stream-rewrite 0
    expect_status 1
    in_streams "<$SCRATCH/script" "${GUEST[@]}" sh -c 'echo evil >&0; echo evil >/proc/self/fd/0; exit 0' 2>/dev/null
    is_unchanged script
    make_file log
    run in_streams "2>>$SCRATCH/log" "${GUEST[@]}" /mnt/attack stream-read 2
    expect_status 1
    expect_not_in_output one
    run in_streams "2>>$SCRATCH/log" "${GUEST[@]}" /mnt/attack stream-truncate 2
    run in_streams "2>>$SCRATCH/log" "${GUEST[@]}" sh -c 'exec 3<&2 2>/dev/null; cat <&3'
    expect_not_in_output one
    is_unchanged log
    # Opened for reading and writing, it is still a stream in one direction.
    in_streams "0<>$SCRATCH/log" "${GUEST[@]}" sh -c 'echo evil >&0; exit 0' 2>/dev/null
    is_unchanged log
  done
}

@test "F8 control: outside, a program can change mode and attributes of its output, and block others who lock it" {
  make_file out
  in_streams "2>>$SCRATCH/out" "$ATTACKS/attack" stream-mode 2 04755
  [[ $(stat -c %a "$SCRATCH/out") == 4755 ]]
  start "$ATTACKS/attack" stream-lock 1
  wait_until 5 grep -q held "$SCRATCH/err"
  refute flock -n "$SCRATCH/out" true
}

@test "F8: a guest can't change mode, owner and attributes of an output, or lock it" {
  make_file log
  in_streams "2>>$SCRATCH/log" "${GUEST[@]}" sh -c '/mnt/attack stream-mode 2 04755; /mnt/attack stream-attribute 2
    chown nobody /proc/self/fd/2; exec 2>/dev/null; exit 0' >/dev/null
  [[ $(stat -c '%a %u' "$SCRATCH/log") == "644 $CALLER_UID" ]]
  refute getfattr --only-values -n user.evil "$SCRATCH/log"
  local hold
  for hold in lock lease; do
    start "${GUEST[@]}" /mnt/attack "stream-$hold" 1
    wait_until 10 grep -q held "$SCRATCH/err" || complain "$hold: $(cat "$SCRATCH/err")"
    flock -n "$SCRATCH/out" true || complain "the guest has locked the caller's file"
    timeout 2 sh -c "echo x >>'$SCRATCH/out'" || complain "the guest keeps others waiting"
    kill_started TERM
  done
}

@test "F9 control: a directory as standard input leads out of the root" {
  gets_through in_streams "</" "$ATTACKS/attack" stream-walk 0 etc/hostname
}

@test "F9: directories and O_PATH descriptors are refused in one line, devices and files in memory are streams" {
  fails_plainly 125 isolate 'standard input is a directory' '</dev/null' -- in_streams "<$SCRATCH" "${GUEST[@]}" true
  fails_plainly 125 isolate 'standard output is a directory' -- in_streams "1<$SCRATCH" "${GUEST[@]}" true
  fails_plainly 125 isolate 'standard input is a descriptor opened with O_PATH' -- as_caller /usr/bin/python3 -I -S -c '
import os, sys
os.dup2(os.open("/etc/passwd", os.O_PATH), 0)
os.execv(sys.argv[1], sys.argv[1:])' "${GUEST[@]}" true
  succeeds as_caller /usr/bin/python3 -I -S -c '
import os, subprocess, sys
memory = os.memfd_create("x", os.MFD_ALLOW_SEALING)
os.write(memory, b"input")
os.lseek(memory, 0, 0)
subprocess.run([*sys.argv[1:], "sh", "-c", "cat; /mnt/attack stream-rewrite 0; exit 0"], stdin=memory)
assert os.pread(memory, 100, 0) == b"input", os.pread(memory, 100, 0)' "${GUEST[@]}"
  expect_in_output inputrefused
}

@test "F9: a block device is a stream" {
  [[ $IDENTITY == root ]] || return 0
  truncate -s 1M "$SCRATCH/disk"
  local device
  device=$(losetup --find --show "$SCRATCH/disk") || {
    note 'this machine has no loop devices'
    return 0
  }
  run in_streams "0<>$device" "${GUEST[@]}" sh -c 'head -c 100000 | wc -c; /mnt/attack stream-rewrite 0; echo evil >&0'
  losetup --detach "$device"
  expect_in_output 100000
  refute grep -q evil "$SCRATCH/disk"
}

# Starts a service on the host's loopback address, and a program with a client's socket as 0 and 1.
SOCKETS='
import os, socket, subprocess, sys, threading
server = socket.create_server(("127.0.0.1", 0))
port = server.getsockname()[1]
client = socket.create_connection(("127.0.0.1", port))
peer, _ = server.accept()
command = [word.replace("PORT", str(port)) for word in sys.argv[1:]]
peer.sendall(b"from the peer\n")
peer.shutdown(socket.SHUT_WR)
process = subprocess.run(command, stdin=client, stdout=client, stderr=subprocess.PIPE)
client.close()
data = b""
try:
    while got := peer.recv(4096):
        data += got
except ConnectionResetError:
    pass
sys.stdout.write(data.decode())
server.settimeout(0.2)
try:
    server.accept()
    print("connected again")
except TimeoutError:
    pass
'
with_sockets() { as_caller /usr/bin/python3 -I -S -c "$SOCKETS" "$@"; }

@test "F10 control: outside, a program can reconnect its socket to another service, and list interfaces" {
  run with_sockets "$ATTACKS/attack" stream-reconnect 0 PORT
  expect_in_output 'connected again'
  run with_sockets "$ATTACKS/attack" stream-interfaces 0
  expect_in_output 'interfaces'
}

@test "F10: a TCP socket is a stream in each direction, and gives no access to the network" {
  succeeds with_sockets "${GUEST[@]}" sh -c 'cat; echo from the guest'
  expect_output $'from the peer\nfrom the guest'
  run with_sockets "${GUEST[@]}" sh -c '/mnt/attack stream-reconnect 0 PORT; /mnt/attack stream-reconnect 1 PORT
    /mnt/attack stream-interfaces 0; /mnt/attack stream-interfaces 1'
  expect_not_in_output 'connected again'
  expect_not_in_output succeeded
  [[ $(grep -c refused <<<"$output") == 4 ]] || complain "expected four refusals"
}

DATAGRAMS='
import os, socket, subprocess, sys
listener = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
listener.bind("\0" + sys.argv[1])
listener.settimeout(0.2)
ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
ours.settimeout(0.2)
subprocess.run(sys.argv[2:], stdout=theirs)
for name, end in ("abstract", listener), ("peer", ours):
    try:
        while True:
            print(name, end.recv(4096))
    except TimeoutError:
        pass
'
with_datagrams() { as_caller /usr/bin/python3 -I -S -c "$DATAGRAMS" "isolate-$MARK" "$@"; }

@test "F10: a datagram socket sends each message that is written, and reaches no other socket" {
  run with_datagrams "$ATTACKS/attack" stream-abstract 1 "isolate-$MARK"
  expect_in_output "abstract b'evil'"
  run with_datagrams "${GUEST[@]}" sh -c "/mnt/attack stream-abstract 1 isolate-$MARK >&2; echo one; echo two" 2>&1
  expect_in_output "peer b'one\\n'"
  expect_in_output "peer b'two\\n'"
  expect_not_in_output 'abstract b'
}

# --- F11: terminals ---------------------------------------------------------------------------------------------------

# on_shared_terminal SCRIPT: runs a script outside, on a terminal, in which $* is isolate with the attacks. Leaves the
# terminal's state before and after in $before and $after.
on_shared_terminal() {
  on_terminal -- sh -c "exec 3<&0
    $ATTACKS/attack stream-state 0 >$SCRATCH/before
    $1
    $ATTACKS/attack stream-state 0 >$SCRATCH/after" sh "${GUEST[@]}"
  before=$(cat "$SCRATCH/before") after=$(cat "$SCRATCH/after")
}
is_as_before() { [[ $before == succeeded* && $before == "$after" ]] || complain "before $before, after $after"; }

@test "F11 control: outside, a program's changes to mode, exclusive use and flags of a terminal stay" {
  on_shared_terminal "$ATTACKS/attack stream-terminal 0 >$SCRATCH/attack"
  [[ $after == *'mode 666'*'exclusive 1'*'nonblock 1'* ]] || complain "after $after"
}

@test "F11: a terminal's state is restored, however the run ends" {
  local words
  for words in '' '--seccomp=none' '--pty' '-e chroot'; do
    # shellcheck disable=SC2086
    words_of_guest $words
    on_shared_terminal '"$@" sh -c "/mnt/attack stream-terminal 0; /mnt/attack stream-terminal 2; exit 0" >/dev/null'
    is_as_before
    on_shared_terminal '"$@" sh -c "/mnt/attack stream-terminal 1 >&2; kill -KILL \$\$"'
    is_as_before
  done
}

@test "F11: a terminal's state is restored when isolate is killed" {
  local words
  for words in '' '--seccomp=none' '--pty' '-e chroot'; do
    # shellcheck disable=SC2086
    words_of_guest $words
    on_shared_terminal '"$@" sh -c "echo ready; stty -echo; /mnt/attack stream-terminal 0; sleep 600" <&3 >'"$SCRATCH/ready"' 2>&1 &
      until grep -q ready '"$SCRATCH/ready"'; do sleep 0.05; done
      sleep 1; kill -KILL $!; wait; sleep 0.5'
    is_as_before
  done
  isolatectl gc
}

@test "F11: the filter refuses requests whose effect would stay on a terminal" {
  [[ $ENGINE != lxc ]] || return 0 # lxc has the same filter
  local request
  for request in 0x540c 0x5423 0x541d 0x5457 0x541f 0x4b3a 0x4b45 0x5602; do
    is_refused_with EPERM with_attacks /mnt/attack ioctl plain -1 "$request"
    run with_attacks --seccomp=none /mnt/attack ioctl plain -1 "$request"
    expect_in_output EBADF
  done
}

# Only bwrap, because a container has a terminal of its own.
@test "F11: a guest can open its terminal by all names, and change its mode by none" {
  [[ $ENGINE != lxc ]] || return 0
  on_shared_terminal '"$@" sh -c "echo by-""tty >\$(tty); echo by-""console >/dev/console; echo by-""stdout >/dev/stdout
    chmod 666 /dev/console 2>/dev/null || echo un\"\"changed"'
  expect_in_output by-tty
  expect_in_output by-console
  expect_in_output by-stdout
  expect_in_output unchanged
  is_as_before
}

# --- F12: pipes -------------------------------------------------------------------------------------------------------

# Starts two guests on one pipe that holds a line of a third program. The first one attacks while the second one runs,
# which reads only afterwards. The guests can use the fifos as well, whatever ids they have.
on_one_pipe() {
  mkfifo "$SCRATCH/up" "$SCRATCH/go"
  as_caller sh -c 'first=$1 second=$2 scratch=$3
    shift 3
    { echo secret; read -r line <"$scratch/up"; eval "$first" 2>"$scratch/first" >&1; echo >"$scratch/go"; } |
      { eval "$second" >"$scratch/second"; }' sh "$1" "$2" "$SCRATCH" "${GUEST[@]}"
}

setup_pipes() {
  words_of_guest -d "$SCRATCH:/srv"
  chmod 0777 "$SCRATCH"
  umask 0
}

@test "F12 control: outside, a program can open the other end of its pipe" {
  setup_pipes
  on_one_pipe "$ATTACKS/attack stream-steal 3 3>&1 >&2" "echo >$SCRATCH/up; read -r line <$SCRATCH/go; cat"
  grep -q 'succeeded: .*secret' "$SCRATCH/first" || complain "the first: $(cat "$SCRATCH/first")"
  rm "$SCRATCH/up" "$SCRATCH/go"
  on_one_pipe : "echo >$SCRATCH/up; $ATTACKS/attack stream-inject 0; read -r line <$SCRATCH/go; cat"
  grep -q 'succeeded' "$SCRATCH/second" || complain "the second: $(cat "$SCRATCH/second")"
  grep -q evil "$SCRATCH/second"
}

@test "F12: a guest can't read what others write to the pipe of its output" {
  setup_pipes
  on_one_pipe '"$@" sh -c "/mnt/attack stream-steal 3 3>&1 >&2; echo mine"' \
    '"$@" sh -c "echo >/srv/up; read -r line </srv/go; cat"'
  grep -q 'refused: ' "$SCRATCH/first" || complain "the first: $(cat "$SCRATCH/first")"
  [[ $(cat "$SCRATCH/second") == $'secret\nmine' ]] || complain "the second: $(cat "$SCRATCH/second")"
}

# An ordinary user's guest owns the pipe that it gets, and can write to it. That is not the caller's pipe.
@test "F12: a guest can't write to the pipe of its input" {
  setup_pipes
  on_one_pipe '"$@" true' '"$@" sh -c "echo >/srv/up; read -r line </srv/go; /mnt/attack stream-inject 0"; cat'
  if [[ $IDENTITY == root ]]; then
    grep -q 'refused: EACCES' "$SCRATCH/second" || complain "the second: $(cat "$SCRATCH/second")"
  fi
  refute grep -q evil "$SCRATCH/second"
  [[ $(tail -n 1 "$SCRATCH/second") == secret ]] || complain "the second: $(cat "$SCRATCH/second")"
}

@test "F12 control: outside, a program can change the mode of its input pipe" {
  run as_caller sh -c 'true | { chmod 777 /proc/self/fd/0; stat -L -c %a /proc/self/fd/0; }'
  expect_output 777
}

@test "F12: a guest can't change mode and owner of its input pipe, not even while it runs" {
  setup_pipes
  mkfifo "$SCRATCH/changed" "$SCRATCH/seen"
  # Others may read from a pipe that root lends to a guest.
  local expected="604 0"
  [[ $IDENTITY == root ]] || expected="600 $CALLER_UID"
  run as_caller sh -c 'scratch=$1
    shift
    true | { exec 5<&0
      "$@" sh -c "chmod 777 /proc/self/fd/0; chown nobody /proc/self/fd/0; echo >/srv/changed; read -r x </srv/seen; exit 0" 2>/dev/null <&5 &
      read -r line <"$scratch/changed"
      stat -L -c "%a %u" /proc/self/fd/0
      echo >"$scratch/seen"
      wait; }' sh "$SCRATCH" "${GUEST[@]}"
  expect_output "$expected"
}

@test "F12: two guests that start at the same moment can't open each other's end of the pipe" {
  [[ $IDENTITY == root && $ENGINE != lxc ]] || return 0
  : >"$SCRATCH/found"
  for _ in {1..50}; do
    "${GUEST[@]}" sh -c '/mnt/attack stream-steal 3 3>&1 >&2' 2>>"$SCRATCH/found" |
      "${GUEST[@]}" sh -c '/mnt/attack stream-inject 0 >&2' 2>>"$SCRATCH/found" || true
  done
  [[ $(grep -c 'refused: EACCES' "$SCRATCH/found") == 100 ]] || complain "$(sort "$SCRATCH/found" | uniq -c)"
}

@test "F12: after a run, pipes have the caller's mode and owner again" {
  run as_caller sh -c 'true | { "$@" true; "$@" sh -c "chmod 777 /proc/self/fd/0; exit 0" 2>/dev/null
    stat -L -c "%a %u" /proc/self/fd/0; }' sh "${GUEST[@]}"
  expect_output "600 $CALLER_UID"
  run as_caller sh -c '{ "$@" sh -c "chmod 777 /proc/self/fd/1; chown nobody /proc/self/fd/1; exit 0" 2>/dev/null
    stat -L -c "%a %u" /proc/self/fd/1; } | cat' sh "${GUEST[@]}"
  expect_output "600 $CALLER_UID"
}

@test "F12: a named pipe keeps its mode and owner, and the guest can't open its other end" {
  mkfifo -m 0640 "$SCRATCH/in" "$SCRATCH/out"
  chown "$CALLER_UID:$CALLER_GID" "$SCRATCH/in" "$SCRATCH/out"
  (umask 0 && mkfifo "$SCRATCH/ready")
  echo secret >"$SCRATCH/in" 3>&- &
  STARTED+=($!)
  { cat "$SCRATCH/ready" && cat; } <"$SCRATCH/out" >"$SCRATCH/read" 3>&- &
  STARTED+=($!)
  as_caller sh -c 'exec 1>"$1/out"
    echo before
    shift
    exec "$@"' sh "$SCRATCH" "${GUEST[@]}" sh -c '/mnt/attack stream-steal 3 3>&1 >&2; chmod 777 /proc/self/fd/0 /proc/self/fd/1; cat' \
    <"$SCRATCH/in" 2>"$SCRATCH/err"
  echo >"$SCRATCH/ready"
  wait_until 5 grep -q secret "$SCRATCH/read"
  grep -q before "$SCRATCH/read"
  grep -q 'refused: ' "$SCRATCH/err" || complain "$(cat "$SCRATCH/err")"
  [[ $(stat -c '%a %u' "$SCRATCH/in" "$SCRATCH/out") == "640 $CALLER_UID"$'\n'"640 $CALLER_UID" ]] ||
    complain "$(stat -c '%a %u' "$SCRATCH/in" "$SCRATCH/out")"
}
