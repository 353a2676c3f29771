# variants: root-native user-bwrap: each identity and each engine once
# other variants: root-bwrap user-native
# Warm guests: isolatectl warm keeps guests ready, and a run with the same options takes one.

load helpers

# keep_warm NUMBER [OPTION...]: keeps warm guests until the end of the test, and waits until they are ready. KEEPER is
# the pid.
keep_warm() {
  start "$ISOLATECTL" --store "$STORE" warm debian "$@"
  KEEPER=$STARTED_PID
  wait_until 20 grep -q "warm guests\? of template debian ready" "$SCRATCH/err" || complain "$(cat "$SCRATCH/err")"
}
end_keeper() {
  kill "$KEEPER"
  STARTED_PID=$KEEPER
  end_of_started
  [[ $STATUS == 0 ]] || complain "isolatectl warm ended with $STATUS"
}
# Each test ends its keeper, also after a failure.
teardown() {
  if [[ -n ${KEEPER-} ]] && kill "$KEEPER" 2>/dev/null; then
    wait_until 10 no_holder || true
  fi
  common_teardown
}
no_holder() { no_process_with "$ISOLATE --hold .*--store $STORE"; }
holders() { processes_with "$ISOLATE --hold .*--store $STORE"; }

warm() { isolate -q --warm=require -z debian "$@"; }
# The number of guests that are ready.
ready() {
  local runs=/run/isolate/runs
  if [[ $IDENTITY == user ]]; then runs=$STORE/runs; fi
  find "$runs" -path '*/warm-*/*' -type s ! -name '.*' | wc -l
}
are_ready() { [[ $(ready) == "$1" ]]; }
get_ready() { wait_until 10 are_ready "$1" || complain "$(ready) guests are ready: $(cat "$SCRATCH/err")"; }

@test "a run takes a warm guest, uses it once, and the next one is ready again" {
  keep_warm 2
  succeeds warm -v A=b -p /tmp sh -c 'cat; echo $A; pwd; echo changed >/file; hostname' <<<input
  [[ ${lines[0]} == input && ${lines[1]} == b && ${lines[2]} == /tmp ]] || complain "the command was another"
  local first=${lines[3]}
  get_ready 2
  run ! warm cat /file
  get_ready 2
  succeeds warm hostname
  [[ $output != "$first" ]] || complain "the guest was used twice"
  run -7 warm sh -c 'exit 7'
  get_ready 2
  run -137 warm sh -c 'kill -KILL $$'
  get_ready 2
  run -127 --separate-stderr warm no-such-command
  one_error_line isolate
  get_ready 2
  run -124 warm --timeout 0.5 sleep 60
  end_keeper
  are_ready 0
  no_holder || complain "left: $(holders)"
  store_gets_clean
}

@test "the started event and --warm say whether the guest was warm" {
  keep_warm 1
  succeeds isolate -q -z debian --status-fd 1 true
  [[ $(jq -s '.[0].warm' <<<"$output") == true ]] || complain "not warm"
  get_ready 1
  succeeds isolate -q -z debian --warm=no --status-fd 1 true
  [[ $(jq -s '.[0].warm' <<<"$output") == false ]] || complain "warm"
  are_ready 1
  succeeds isolate -q -z debian --timings --warm=require true
  [[ $stderr == *'timing: begin '* && $stderr == *'timing: total '* && $stderr != *'timing: launch '* ]]
}

@test "a run with other options, limits or directories makes its own guest" {
  local option
  keep_warm 1 -d "$SCRATCH:/shown:ro"
  succeeds warm -d "$SCRATCH:/shown:ro" ls /shown
  get_ready 1
  for option in -n --read-only "--ulimit=nofile=100" "--cap-drop=ALL" "--seccomp=tty" "-d$SCRATCH:/more"; do
    isolate_refuses 'no warm guest can be taken: none fits' -- warm "$option" true
    succeeds isolate -q -z debian "$option" true
  done
  isolate_refuses 'no warm guest can be taken: none fits' -- warm true
  isolate_refuses 'no warm guest can be taken: none fits' -- warm -d "$SCRATCH:/shown" true
  fails_plainly 125 isolate 'no warm guest can be taken: none fits' -- as_caller sh -c 'ulimit -n 100; exec "$@"' sh "$ISOLATE" \
    --store "$STORE" --warm=require -z debian -d "$SCRATCH:/shown:ro" true
  fails_plainly 125 isolate 'no warm guest can be taken: none fits' -- as_caller nice "$ISOLATE" --store "$STORE" --warm=require -z debian \
    -d "$SCRATCH:/shown:ro" true
  are_ready 1
}

@test "what no warm guest supports is said in one line" {
  isolate_refuses '--hold takes no command' -- isolate --hold -z debian true
  isolate_refuses '--env has no effect with --hold' -- isolate --hold -z debian -v A=b
  isolate_refuses '--timeout has no effect with --hold' -- isolate --hold -z debian --timeout 5
  isolate_refuses '-t' -- isolate --hold -t "$TREE"
  isolate_refuses '--keep' -- isolate --hold -z debian --keep
  isolate_refuses '--keep' -- isolate --warm=require -z debian --keep true
  isolate_refuses '--pty' -- isolate --warm=require -z debian --pty true
  isolate_refuses '--home' -- isolate --warm=require -z debian --home true
  isolate_refuses 'lxc' -- isolate --hold -e lxc -z debian
  fails_plainly 125 isolate PRE_SPAWN_HOOK -- with_variables PRE_SPAWN_HOOK=true -- --hold -z debian
  isolate_refuses 'auto, require or no' -- isolate --warm=yes -z debian true
  isolate_refuses 'no template' -- isolate --hold -z no-such-template
  isolatectl_refuses 'no template' -- isolatectl warm no-such-template 1
  run -1 --separate-stderr isolatectl warm debian 1 -e no-such-engine
  expect_in_errors "no-such-engine"
  expect_in_errors "no guest could be made"
  isolatectl_refuses NUMBER -- isolatectl warm debian
  isolatectl_refuses NUMBER -- isolatectl warm debian none
}

@test "after a change of the template no run gets an older guest" {
  keep_warm 2
  succeeds isolatectl -q template edit debian -- sh -c "echo $MARK >/generation"
  succeeds isolate -q -z debian cat /generation
  expect_output "$MARK"
  wait_until 20 new_guest_is_ready || complain "the guests were not replaced"
  get_ready 2
  succeeds warm cat /generation
  expect_output "$MARK"
  end_keeper
  succeeds isolatectl -q template edit debian -- rm /generation
  succeeds isolatectl -q gc
}
new_guest_is_ready() { [[ $(warm cat /generation 2>/dev/null) == "$MARK" ]]; }

@test "if the run is killed, its guest ends; if the guest's isolate is killed, the run reports it" {
  keep_warm 1
  start_isolate -q --warm=require -z debian sleep "$MARK"
  wait_until 10 a_guest_sleeps
  kill_started KILL
  wait_until 5 no_process_with "^sleep $MARK" || complain "the command goes on"
  get_ready 1
  start_isolate -q --warm=require -z debian sleep "$MARK"
  wait_until 10 a_guest_sleeps
  get_ready 1
  kill -KILL "$(holder_of_run)"
  end_of_started
  [[ $STATUS == 125 ]] || complain "status $STATUS"
  grep -qx 'isolate: error: the isolate of the warm guest has ended, and the guest with it' "$SCRATCH/err"
  wait_until 5 no_process_with "^sleep $MARK" || complain "the command goes on"
  succeeds isolate -q --warm=no -z debian true # removes the clone of the killed run
}
# The isolate whose guest is no longer offered.
holder_of_run() {
  local pid
  for pid in $(holders); do
    if pgrep --parent "$pid" >/dev/null && [[ -n $(descendants "$pid" | xargs ps -o args= -p | grep "^sleep $MARK") ]]; then
      echo "$pid"
    fi
  done
}
descendants() {
  local pid
  for pid in $(pgrep --parent "$1"); do
    echo "$pid"
    descendants "$pid"
  done
}

@test "a run goes on when isolatectl warm ends, and so does the removal of its clone" {
  keep_warm 2
  start_isolate -q --warm=require -z debian sh -c "sleep 1; echo done; : $MARK"
  local run=$STARTED_PID
  wait_until 10 a_process_with "^sh -c sleep 1; echo done; : $MARK"
  end_keeper
  STARTED_PID=$run
  end_of_started
  [[ $STATUS == 0 && $(cat "$SCRATCH/out") == done ]] || complain "status $STATUS"
  wait_until 10 no_holder
  store_gets_clean
}

@test "if isolatectl warm is killed, its guests end" {
  keep_warm 2
  kill -KILL "$KEEPER"
  wait_until 10 no_holder || complain "left: $(holders)"
  KEEPER=
  are_ready 0
  store_gets_clean
}

@test "a guest that ends by itself is replaced" {
  local pid
  keep_warm 2
  for pid in $(holders); do kill -KILL "$pid"; done
  wait_until 20 are_replaced || complain "$(ready) are ready"
  succeeds warm true
  end_keeper
  succeeds isolate -q --warm=no -z debian true
}
are_replaced() { [[ $(holders | wc -l) == 2 ]] && warm true 2>/dev/null; }

@test "warnings about the guest reach the run that takes it" {
  local warning
  succeeds isolate -z debian --warm=no -e chroot true
  warning=$stderr
  [[ -n $warning ]] || complain "the chroot engine does not warn"
  keep_warm 1 -e chroot
  succeeds isolate -z debian --warm=require -e chroot true
  [[ $stderr == "$warning" ]] || complain "expected: $warning"
}

@test "exec, ps and kill work on the run of a warm guest" {
  local clone
  keep_warm 1
  start_isolate -q --warm=require -z debian sh -c "hostname; exec sleep $MARK"
  wait_until 10 a_guest_sleeps
  clone=$(cat "$SCRATCH/out")
  succeeds isolatectl exec "$clone" hostname
  expect_output "$clone"
  succeeds isolatectl --json ps
  [[ -n $(jq -r ".[] | select(.clone == \"$clone\") | .clone" <<<"$output") ]] || complain "not listed"
  succeeds isolatectl kill "$clone"
  end_of_started 2>/dev/null
  [[ $STATUS == 137 ]] || complain "status $STATUS"
}

@test "another user can't reach a warm guest" {
  local other=(setpriv "--reuid=$USER_B_UID" "--regid=$USER_B_GID" --clear-groups --) runs=/run/isolate/runs
  if [[ $IDENTITY == user ]]; then runs=$STORE/runs; fi
  keep_warm 1
  refute "${other[@]}" ls "$runs"
  chmod 0755 "$runs" # and if they could enter the directory, the socket would refuse them
  for directory in "$runs"/warm-*; do chmod 0777 "$directory" "$directory"/*; done
  run "${other[@]}" /usr/bin/python3 -I -S -c 'import os, socket, sys
os.chdir(os.path.dirname(sys.argv[1])) # the path is too long for an address
s = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
s.connect(os.path.basename(sys.argv[1]))
print(s.recv(4096))' "$(find "$runs" -path '*/warm-*/*' -type s)"
  chmod 0700 "$runs"
  [[ $output == "b''" || $output == *'Permission denied'* ]] || complain "another user was heard"
  are_ready 1
  chmod 0700 "$runs"/warm-*
  succeeds warm true
}

@test "fifty runs at a time each get a guest of their own" {
  local number pids=()
  keep_warm 4
  for number in {1..50}; do
    as_caller "$ISOLATE" --store "$STORE" -q -z debian sh -c 'echo $HOSTNAME; hostname; test ! -e /used && touch /used' \
      >"$SCRATCH/out.$number" 2>&1 3>&- &
    pids+=($!)
  done
  for number in "${pids[@]}"; do wait "$number" || complain "$(cat "$SCRATCH"/out.*)"; done
  [[ $(cat "$SCRATCH"/out.* | sort -u | wc -l) == 51 ]] || complain "$(cat "$SCRATCH"/out.* | sort | uniq -c | sort -n | tail -n 3)"
}

@test "a guest that listens in place of a warm guest gets nothing" {
  local runs=/run/isolate/runs
  if [[ $IDENTITY == user ]]; then runs=$STORE/runs; fi
  keep_warm 1
  # The guest's root may have the caller's id, and then the kernel lets it listen where the caller's runs look.
  start_isolate -q --warm=no -z debian -d "$runs:/runs" perl -e 'use Socket; my $heard = 0; $| = 1;
    for my $place (glob "/runs/warm-*") { for my $pid (1 .. 3, '"$$"') {
      socket(my $s, AF_UNIX, 5, 0) or die; push @sockets, $s;
      chdir $place; bind($s, sockaddr_un("forged.warm.$pid")) or die "bind: $!"; listen($s, 16) } }
    print "listening\n"; vec($bits, fileno $_, 1) = 1 for @sockets; select($bits, undef, undef, 20) and print "asked\n";
    # The kernel completes a connection that nobody has accepted; what counts is a message.
    for my $s (@sockets) { my $c; my $r = ""; vec($r, fileno $s, 1) = 1; next unless select($r, undef, undef, 0);
      accept($c, $s); recv($c, my $m, 4096, 0); print "got $m\n" if length $m }
    # '"$MARK"
  if ! wait_until 10 grep -q listening "$SCRATCH/out"; then
    # Root's guests have ids of their own, which may not write there.
    grep -q 'bind: Permission denied' "$SCRATCH/err" || complain "$(cat "$SCRATCH/err")"
    return 0
  fi
  for _ in 1 2 3 4 5 6; do
    run --separate-stderr isolate -q -z debian -v TOKEN=secret sh -c 'echo really run' </dev/null
    expect_output 'really run'
  done
  kill_started KILL
  refute grep -q 'got' "$SCRATCH/out"
  rm -f "$runs"/warm-*/forged.*
}

@test "a terminal's keys for isolatectl warm do not reach the runs that have taken a guest" {
  local signal run
  for signal in INT QUIT HUP TSTP; do
    start setsid "$ISOLATECTL" --store "$STORE" warm debian 1
    KEEPER=$STARTED_PID
    wait_until 20 grep -q "warm guest of template debian ready" "$SCRATCH/err"
    start_isolate -q --warm=require -z debian sh -c "sleep 1; echo done; : $MARK"
    run=$STARTED_PID
    wait_until 10 a_process_with "^sh -c sleep 1; echo done; : $MARK"
    kill "-$signal" -- "-$KEEPER"
    STARTED_PID=$run
    end_of_started
    [[ $STATUS == 0 && $(cat "$SCRATCH/out") == done ]] || complain "$signal: status $STATUS"
    kill -CONT "$KEEPER" 2>/dev/null || true
    kill "$KEEPER" 2>/dev/null || true
    wait_until 10 no_holder || complain "$signal: left $(holders)"
  done
  KEEPER=
}

@test "a guest whose isolate is stopped holds up no run" {
  local pid
  keep_warm 1
  for pid in $(holders); do kill -STOP "$pid"; done
  succeeds isolate -q -z debian echo ran
  expect_output ran
  isolate_refuses 'no warm guest can be taken' -- warm true
  start_isolate -q -z debian sleep "$MARK"
  sleep 0.5
  kill_started TERM
  [[ $STATUS == 143 ]] || complain "status $STATUS"
  for pid in $(holders); do kill -CONT "$pid"; done
  succeeds warm true
}

@test "a run sees what is at the source of a bind when it begins" {
  mkdir "$SCRATCH/dir" "$SCRATCH/below"
  echo old >"$SCRATCH/dir/file"
  echo old >"$SCRATCH/file"
  chmod -R a+rX "$SCRATCH"
  keep_warm 1 -d "$SCRATCH/dir:/dir" -d "$SCRATCH/file:/file"
  local options=(-q -z debian -d "$SCRATCH/dir:/dir" -d "$SCRATCH/file:/file")
  succeeds isolate "${options[@]}" --warm=require cat /dir/file /file
  expect_output $'old\nold'
  get_ready 1
  echo new >"$SCRATCH/new" && mv "$SCRATCH/new" "$SCRATCH/file"
  chmod a+r "$SCRATCH/file"
  succeeds isolate "${options[@]}" cat /dir/file /file
  expect_output $'old\nnew'
  mount --bind "$SCRATCH/below" "$SCRATCH/dir"
  succeeds isolate "${options[@]}" cat /file
  isolate_refuses 'no warm guest' -- isolate "${options[@]}" --warm=require true
  umount "$SCRATCH/dir"
  mv "$SCRATCH/dir" "$SCRATCH/old"
  isolate_refuses "$SCRATCH/dir" -- isolate "${options[@]}" cat /dir/file
}

@test "signals end a run whose output nobody reads, and nothing is left if it is killed" {
  local signal
  mkfifo "$SCRATCH/output"
  chown "$CALLER_UID" "$SCRATCH/output"
  keep_warm 1
  for signal in TERM KILL; do
    get_ready 1
    exec {reader}<>"$SCRATCH/output"
    start sh -c 'exec "$0" "$@" >'"$SCRATCH/output" "$ISOLATE" --store "$STORE" -q --warm=require -z debian \
      sh -c "head -c 3000000 /dev/zero; : $MARK"
    sleep 1
    kill_started "$signal"
    [[ $STATUS == 143 || $signal == KILL ]] || complain "$signal: status $STATUS"
    wait_until 5 no_process_with "^sh -c head.*$MARK" || complain "$signal: the command goes on"
    exec {reader}<&-
  done
  end_keeper
  wait_until 5 no_holder || complain "left: $(holders)"
  store_gets_clean
}

@test "a caller that confines itself gets a guest of its own" {
  keep_warm 1
  fails_plainly 125 isolate no_new_privs -- as_caller setpriv --no-new-privs "$ISOLATE" --store "$STORE" -q \
    --warm=require -z debian true
  are_ready 1
}

@test "ps, exec and template remove tell a guest that waits for a run" {
  local clone
  keep_warm 1
  succeeds isolatectl ps
  expect_in_output ', waits'
  succeeds isolatectl --json ps
  clone=$(jq -r '.[] | select(.waits) | .clone' <<<"$output")
  fails_plainly 125 isolatectl 'waits for a run' -- isolatectl exec "$clone" true
  isolatectl_refuses 'end isolatectl warm first' -- isolatectl template remove debian
  start_isolate -q --warm=require -z debian sleep "$MARK"
  wait_until 10 a_guest_sleeps
  succeeds isolatectl --json ps
  [[ $(jq -r ".[] | select(.clone == \"$clone\") | .waits" <<<"$output") == false ]] || complain "still waits"
  kill_started TERM
}
