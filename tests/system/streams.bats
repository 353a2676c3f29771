# variants: root-bwrap user-lxc user-native user-warm: each identity and each engine once, as no test depends on the pair
# other variants: user-bwrap root-lxc root-native root-warm
# Standard streams work as in any program: files, pipes and sockets, by descriptor and by name.

# shellcheck disable=SC2016 # scripts are for the shells that the tests start

load helpers

# Runs a script in a shell of the identity, in which isolate is a function.
by_caller() {
  as_caller bash -c "isolate() { $ISOLATE --store $STORE -q -z debian \"\$@\"; }; cd $SCRATCH; $1"
}

@test "/dev/stdin, /dev/stdout and /dev/stderr open pipes and files" {
  succeeds by_caller 'isolate sh -c "echo one >/dev/stdout" | cat'
  expect_output one
  succeeds by_caller 'isolate sh -c "echo one | tee /dev/stderr >/dev/null" 2>&1 | cat'
  expect_output one
  succeeds by_caller 'echo in | isolate cat /dev/stdin'
  expect_output in
  succeeds by_caller 'echo in >i; isolate sh -c "echo one >>/dev/stdout" >o; isolate cat /dev/stdin <i; cat o'
  expect_output $'in\none'
}

# LXC gives an ordinary user's pipes the mode 0700.
@test "another user of the guest can open them as well" {
  [[ $ENGINE != lxc || $IDENTITY == root ]] || return 0
  succeeds by_caller 'isolate su nobody -s /bin/sh -c "echo one >/dev/stdout" | cat'
  expect_output one
  succeeds by_caller 'isolate su nobody -s /bin/sh -c "echo one >/dev/stdout" >o; cat o'
  expect_output one
}

@test "the position in a file is shared, and unread input is given back" {
  succeeds by_caller 'seq 1 100000 >f; (isolate sh -c "read x; echo got \$x"; isolate head -n 1 >/dev/null; isolate true
    isolate sh -c "read x; echo got \$x") <f'
  expect_in_output 'got 1'
  succeeds by_caller 'seq 1 100000 >f; (isolate sh -c "read x; echo \$x"; isolate true; isolate cat) <f | cmp - f'
  succeeds by_caller 'seq 1 5 >f; (isolate sh -c "read x; echo \$x; read x"; isolate cat) <f'
  expect_output $'1\n3\n4\n5'
  succeeds by_caller 'seq 1 5 >f; while read -r x; do isolate true; echo "$x"; done <f'
  expect_output $'1\n2\n3\n4\n5'
  succeeds by_caller '(isolate echo a; isolate echo b) >f; echo c >>f; isolate echo d >>f; cat f'
  expect_output $'a\nb\nc\nd'
}

@test "unread input is given back when isolate is killed" {
  succeeds by_caller 'seq 1 100000 >f; exec 5<f
    '"$ISOLATE --store $STORE"' -q -z debian sh -c "read x; echo ready >&2; sleep 600" <&5 2>err & pid=$!
    until grep -q ready err; do sleep 0.05; done
    kill -KILL $pid; wait 2>/dev/null; sleep 0.5; head -n 1 <&5'
  expect_output 2
  isolatectl gc
}

@test "standard output and error in one file keep their order" {
  succeeds by_caller 'isolate sh -c "for i in 1 2 3 4 5 6 7 8 9; do echo out \$i; echo err \$i >&2; done" >f 2>&1; cat f'
  expect_output "$(for i in 1 2 3 4 5 6 7 8 9; do printf 'out %s\nerr %s\n' $i $i; done)"
  succeeds by_caller 'isolate sh -c "echo out; echo err >&2; echo out" >>g 2>>g; cat g'
  expect_output $'out\nerr\nout'
}

@test "standard output and error in one pipe keep their order" {
  succeeds by_caller 'isolate sh -c "for i in 1 2 3 4 5 6 7 8 9; do echo out \$i; echo err \$i >&2; done" 2>&1 | cat'
  expect_output "$(for i in 1 2 3 4 5 6 7 8 9; do printf 'out %s\nerr %s\n' $i $i; done)"
}

@test "the next command can read what a guest has not read from a pipe" {
  succeeds by_caller 'seq 1 1000 | (isolate sh -c "read x; echo got \$x"; isolate true; cat) >o; { echo got 1; seq 2 1000; } | cmp - o'
  succeeds by_caller 'printf abcdef | { isolate head -c 1; cat; }'
  expect_output abcdef
  succeeds by_caller 'seq 1 5 | while read -r x; do isolate true; echo "$x"; done'
  expect_output $'1\n2\n3\n4\n5'
}

@test "unread input is given back to a named pipe, and by further commands" {
  succeeds by_caller 'mkfifo p; seq 1 100 >p & (isolate sh -c "read x; echo got \$x"; isolate true; cat) <p >o; { echo got 1; seq 2 100; } | cmp - o'
  start_isolate -q -z debian sleep "$MARK"
  wait_until 15 a_guest_sleeps
  local clone
  clone=$(isolatectl --json ps | jq -r '.[0].clone')
  succeeds as_caller bash -c "seq 1 5 | { $ISOLATECTL --store $STORE exec $clone sh -c 'read x; echo got \$x'
    $ISOLATECTL --store $STORE exec $clone true; cat; }"
  expect_output $'got 1\n2\n3\n4\n5'
  kill_started TERM
}

@test "unread input is given back when the guest or isolate is killed" {
  succeeds by_caller 'seq 1 5 | { isolate sh -c "read x; kill -KILL \$\$"; cat; }'
  expect_output $'2\n3\n4\n5'
  succeeds by_caller 'seq 1 5 | { exec 5<&0
      '"$ISOLATE --store $STORE"' -q -z debian sh -c "read x; echo ready >&2; sleep 600" <&5 2>err & pid=$!
      until grep -q ready err; do sleep 0.05; done
      kill -KILL $pid; wait 2>/dev/null; sleep 0.5; cat; }'
  expect_output $'2\n3\n4\n5'
  isolatectl gc
}

@test "a guest's input ends when the pipe's writers do, and the writer ends when nobody reads" {
  succeeds by_caller 'true | timeout 20 '"$ISOLATE --store $STORE"' -q -z debian cat && echo end'
  expect_output end
  succeeds by_caller 'timeout 20 yes | timeout 20 '"$ISOLATE --store $STORE"' -q -z debian head -n 1; echo "${PIPESTATUS[*]}"'
  expect_output $'y\n141 0'
  # The guest closes its input and continues.
  succeeds by_caller 'timeout 20 yes | timeout 20 '"$ISOLATE --store $STORE"' -q -z debian sh -c "exec <&-; sleep 0.2; echo on"; echo "${PIPESTATUS[*]}"'
  expect_output $'on\n141 0'
}

# With timeouts, because a read that goes unnoticed would leave the guest waiting forever.
@test "a pipe's data arrives complete, whatever the sizes and pauses of its writes and reads" {
  succeeds by_caller 'head -c 512M /dev/zero | timeout 120 '"$ISOLATE --store $STORE"' -q -z debian wc -c'
  expect_output $((512 << 20))
  # A shell reads byte by byte.
  succeeds by_caller 'seq 1 20000 | timeout 60 '"$ISOLATE --store $STORE"' -q -z debian sh -c "while read -r x; do n=\$x; done; echo \$n"'
  expect_output 20000
  succeeds by_caller 'for i in {1..200}; do echo "$i"; [[ $((i % 3)) != 0 ]] || sleep "0.00$((i % 10))"; done |
    timeout 60 '"$ISOLATE --store $STORE"' -q -z debian sh -c "while read -r x; do echo \$x; [ \$((x % 20)) != 0 ] || sleep 0.1; done" | cmp - <(seq 1 200)'
  # Question and answer, so that each write waits for the previous one.
  succeeds by_caller 'coproc GUEST { timeout 60 '"$ISOLATE --store $STORE"' -q -z debian cat; }
    for i in {1..200}; do
      echo "$i" >&"${GUEST[1]}"
      read -r -t 20 line <&"${GUEST[0]}" && [[ $line == "$i" ]] || { echo "stalled at $i"; exit 1; }
    done
    echo done'
  expect_output done
}

@test "a guest that polls its input sees that there is data, and takes none" {
  succeeds by_caller '{ echo one; sleep 0.3; echo two; } | timeout 30 '"$ISOLATE --store $STORE"' -q -z debian perl -e "
    my \$bits = \"\"; vec(\$bits, 0, 1) = 1;
    for (1, 2) { my \$r = \$bits; select(\$r, undef, undef, 20) == 1 or die \"nothing\"; sysread(STDIN, my \$line, 100); print \$line }"'
  expect_output $'one\ntwo'
  succeeds by_caller 'echo one | { timeout 30 '"$ISOLATE --store $STORE"' -q -z debian perl -e "
    my \$bits = \"\"; vec(\$bits, 0, 1) = 1; select(\$bits, undef, undef, 20) == 1 or die \"nothing\""; cat; }'
  expect_output one
}

@test "a pipe that nobody reads yet does not block isolate" {
  # 200 short lines, one by one.
  succeeds by_caller 'mkfifo ended; { isolate sh -c "i=0; while [ \$i -lt 200 ]; do echo \$i; i=\$((i + 1)); done"; echo >ended; } |
    { read -r x <ended; wc -l; }'
  expect_output 200
}

@test "guests that write to one pipe at a time keep their lines whole" {
  succeeds by_caller 'line() { printf "%0*d" 3000 "$1"; }
    write() { isolate sh -c "i=0; while [ \$i -lt 300 ]; do echo $(line "$1"); i=\$((i + 1)); done"; }
    { write 1 & write 2 & wait; } | sort | uniq -c | sed "s/  *\([0-9]*\) 0*/\1 /"'
  expect_output $'300 1\n300 2'
}

@test "a waiting guest is ended when its reader goes away" {
  succeeds by_caller "timeout 20 $ISOLATE --store $STORE -q -z debian tail -f /etc/hostname | head -n 1 >/dev/null; "'echo "${PIPESTATUS[0]}"'
  [[ $output != 124 ]] || complain "the guest is still waiting"
}

@test "a full disk is reported, and fails the run" {
  run --separate-stderr in_private_mounts "mkdir -p $SCRATCH/small; mount -t tmpfs -o size=64k,mode=777 x $SCRATCH/small" \
    sh -c "exec $ISOLATE --store $STORE -q -z debian sh -c 'trap \"\" PIPE; head -c 200000 /dev/zero 2>/dev/null; exit 0' \
      >$SCRATCH/small/out"
  expect_status 125
  one_error_line isolate
  expect_in_errors 'standard output'
  expect_in_errors 'No space left on device'
  rmdir "$SCRATCH/small"
}

@test "a limit of file sizes is reported, and fails the run" {
  local option
  for option in '' --pty; do
    run --separate-stderr by_caller "ulimit -f 64
      isolate $option sh -c 'trap \"\" PIPE; head -c 200000 /dev/zero 2>/dev/null; exit 0' >f"
    expect_status 125
    one_error_line isolate
    expect_in_errors 'standard output'
    expect_in_errors 'File too large'
  done
  # A command that does not ignore SIGPIPE dies of the broken pipe.
  run --separate-stderr by_caller 'ulimit -f 64; isolate yes >f'
  expect_status 141
  expect_in_errors 'warning: standard output'
  # With chroot, root's command writes to the file itself.
  if [[ $IDENTITY == root ]]; then
    run --separate-stderr by_caller 'ulimit -f 64; isolate -e chroot head -c 200000 /dev/zero >f'
    expect_status 153
  fi
  # isolate's own messages and files.
  run --separate-stderr by_caller 'ulimit -f 0; isolate -z none true 2>f; echo "status $?"'
  expect_output 'status 125'
  # Not to a file of the test's own, to which the limit applies as well.
  succeeds by_caller 'ulimit -f 0; isolate true 2>&1; echo "status $?"'
  [[ ${#lines[@]} == 2 && ${lines[0]} == 'isolate: error: '*'File too large'* && ${lines[1]} == 'status 125' ]] ||
    complain "isolate's own files"
  # Inside the guest the limit works as everywhere.
  run --separate-stderr by_caller 'ulimit -f 64; isolate sh -c "head -c 200000 /dev/zero >/root/f; echo \$?"'
  expect_output 153
}

@test "if the output of a guest's own terminal can't be written, that is reported as well" {
  run --separate-stderr by_caller 'isolate --pty echo x </dev/null >/dev/full'
  expect_status 125
  one_error_line isolate
  expect_in_errors 'standard output: some output'
  expect_in_errors 'No space left on device'
  succeeds by_caller 'isolate --pty seq 100000 </dev/null | head -n 1'
}

@test "100 MB, or 1 GB, arrive complete in each direction" {
  succeeds by_caller 'bytes() { yes "$(seq 1 2000)" | head -c "$1"; }
    all='"$(unless_long 100000000 1000000000)"' part=10000000
    bytes $all | isolate cat | cmp - <(bytes $all)
    bytes $all >in; isolate cat <in >out; cmp in out && echo same; rm out
    isolate head -c $part <in >>out; cmp -n $part in out && echo same'
  expect_output $'same\nsame'
  rm -f "$SCRATCH"/{in,out}
}

@test "a named pipe and a terminal's controlling side are streams" {
  succeeds by_caller 'mkfifo p q; cat p >o & echo in >q & isolate sh -c "cat; echo out" <q >p; wait; cat o'
  expect_output $'in\nout'
}

@test "the writer ends when its reader has gone" {
  run by_caller 'mkfifo p; head -n 1 p >o & isolate yes >p; echo "status $?"; wait; cat o'
  expect_output $'status 141\ny'
}

@test "isolate waits for a reader that takes nothing until a signal comes" {
  mkfifo "$SCRATCH/stuck"
  chown "$CALLER_UID" "$SCRATCH/stuck"
  sleep "$MARK" <>"$SCRATCH/stuck" 3>&- &
  STARTED+=($!)
  start sh -c "exec $ISOLATE --store $STORE -q -z debian head -c 1000000 /dev/zero >$SCRATCH/stuck"
  sleep 1.5
  kill -0 "$STARTED_PID" || complain "isolate did not wait: $(cat "$SCRATCH/err")"
  kill_started TERM
  [[ $STATUS == 143 ]] || complain "status $STATUS"
  # A command that is still running: one signal ends it, and isolate gives the reader two seconds.
  start sh -c "exec $ISOLATE --store $STORE -q -z debian yes >$SCRATCH/stuck"
  sleep 1
  kill -TERM "$STARTED_PID"
  wait_until 6 eval "! kill -0 $STARTED_PID 2>/dev/null" || complain "isolate hangs"
}

@test "a guest that never reads does not block isolate" {
  succeeds by_caller 'head -c 5000000 /dev/zero >f; time timeout 20 '"$ISOLATE --store $STORE"' -q -z debian true <f'
  succeeds by_caller 'mkfifo p; sleep 3 >p & timeout 20 '"$ISOLATE --store $STORE"' -q -z debian true <p; kill %1'
}

@test "the flags of the caller's pipe do not change" {
  succeeds by_caller '{ isolate perl -e "use Fcntl; fcntl(STDOUT, F_SETFL, O_WRONLY | O_NONBLOCK)"
    /usr/bin/python3 -c "import os; print(os.get_blocking(1))"; } | cat'
  expect_output True
}

@test "the flags do not change even if isolate is killed" {
  # Whatever the guest does to its descriptors does not affect the caller's open files.
  succeeds by_caller 'mkfifo go; { exec 5<&0; '"$ISOLATE --store $STORE"' -q -z debian perl -e \
      "use Fcntl; fcntl(\$_, F_SETFL, O_NONBLOCK) for STDIN, STDOUT; \$| = 1; print qq(ready\n); sleep 600" <&5 & pid=$!
    read -r x <go; kill -KILL $pid; wait $pid 2>/dev/null
    /usr/bin/python3 -c "import os; print(os.get_blocking(0), os.get_blocking(1))"
    } < <(sleep 5) | { read -r line; echo "$line" >go; cat; }'
  expect_output 'True True'
  isolatectl gc
}

@test "a guest can't read or write a descriptor that the caller can't" {
  run --separate-stderr by_caller ': >f; isolate cat 0>f'
  expect_in_errors 'bad file descriptor'
  run --separate-stderr by_caller 'isolate echo x 1<f'
  expect_in_errors 'bad file descriptor'
}

@test "further commands get streams like the first one" {
  start_isolate -q -z debian sleep "$MARK"
  wait_until 15 a_guest_sleeps
  local clone
  clone=$(isolatectl --json ps | jq -r '.[0].clone')
  succeeds as_caller bash -c "cd $SCRATCH; isolatectl() { $ISOLATECTL --store $STORE \"\$@\"; }
    seq 1 1000 >f; (isolatectl exec $clone sh -c 'read x; echo \$x'; isolatectl exec $clone cat) <f >o 2>&1; cmp o f
    isolatectl exec $clone sh -c 'echo one >/dev/stdout' | cat
    isolatectl exec $clone sh -c 'exec 3<>/proc/self/fd/0; echo evil >&3' <f; cmp o f && echo same"
  expect_output $'one\nsame'
  fails_plainly 125 isolatectl 'standard input is a directory' -- as_caller sh -c "exec $ISOLATECTL --store $STORE exec $clone true <$SCRATCH"
  kill_started TERM
}
