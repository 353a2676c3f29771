# variants: root-bwrap: the daemon serves only root's stores
# Warm guests of a member, on clones that the daemon leases.

load helpers
load stores
load daemon

SIZE=2

setup_file() { make_daemon "$SIZE"; }
teardown_file() { remove_daemon; }
# Each test ends its keeper, also after a failure.
teardown() {
  if [[ -n ${KEEPER-} ]] && kill "$KEEPER" 2>/dev/null; then wait_until 20 no_holder || true; fi
  daemon_teardown
}

# keep_warm TEMPLATE NUMBER [OPTION...]: keeps a member's guests warm, and waits until they are ready.
keep_warm() {
  OUT=keeper start_words "${WORDS_OF:-MEMBER}" "$ISOLATECTL" warm "$@"
  KEEPER=$STARTED_PID
  wait_until 30 grep -q "warm guests\? of template $1 ready" "$SCRATCH/keeper.err" ||
    complain "$(cat "$SCRATCH/keeper.err")"
}
end_keeper() {
  kill "$KEEPER"
  STARTED_PID=$KEEPER
  end_of_started
  [[ $STATUS == 0 ]] || complain "isolatectl warm ended with $STATUS: $(cat "$SCRATCH/keeper.err")"
  KEEPER=
}
holders() { processes_with "$ISOLATE --hold"; }
no_holder() { no_process_with "$ISOLATE --hold"; }
are_ready() { [[ $(find "$MEMBER_HOME" -path '*/warm-*/*' -type s ! -name '.*' | wc -l) == "$1" ]]; }
get_ready() { wait_until 20 are_ready "$1" || complain "not $1 guests are ready: $(cat "$SCRATCH/keeper.err")"; }
warm() { member "$ISOLATE" -q --warm=require "$@"; }
publish() { ctl template edit overlay:deb -- "$@"; }

@test "a member's run takes a warm guest on a leased clone, uses it once, and the next one is ready again" {
  local kind options first
  for kind in overlay btrfs zfs; do
    options=(-z "$kind:deb")
    if [[ $kind == zfs ]]; then options+=(-u "$ZFS_BASE"); fi
    keep_warm "$kind:deb" 2 "${options[@]:2}"
    succeeds warm "${options[@]}" sh -c 'cat; id -u; echo changed >/file && cat /file; hostname' <<<input
    [[ ${lines[0]} == input && ${lines[1]} == 0 && ${lines[2]} == changed ]] || complain "$kind: the command"
    first=${lines[3]}
    get_ready 2
    succeeds warm "${options[@]}" sh -c 'test ! -e /file && hostname'
    [[ $output != "$first" ]] || complain "$kind: the guest was used twice"
    run -7 warm "${options[@]}" sh -c 'exit 7'
    get_ready 2
    succeeds member "$ISOLATE" -q "${options[@]}" --status-fd 1 true
    [[ $(jq -s '.[0].warm' <<<"$output") == true ]] || complain "$kind: not warm"
    end_keeper
    are_ready 0
    settles "$kind" "$SIZE" 120
  done
}

@test "ps shows member and root which guest waits, and kill ends it" {
  local row clone
  keep_warm overlay:deb 1
  for row in "$(member "$ISOLATECTL" --json ps)" "$(ctl --json ps)"; do
    [[ $(jq -c 'map(.waits)' <<<"$row") == '[true]' ]] || complain "$row"
  done
  start_words MEMBER "$ISOLATE" -q --warm=require -z overlay:deb sleep "$MARK"
  wait_until 10 a_process_with "^sleep $MARK" || complain "$(cat "$SCRATCH"/out.err)"
  get_ready 1
  wait_until 10 one_waits || complain "$(member "$ISOLATECTL" --json ps)"
  kill_started TERM
  [[ $STATUS == 143 ]] || complain "status $STATUS"
  clone=$(member "$ISOLATECTL" --json ps | jq -r '.[0].clone')
  isolatectl_refuses 'no lease' -- member_b "$ISOLATECTL" kill "$clone"
  succeeds member "$ISOLATECTL" kill "$clone"
  wait_until 20 another_waits "$clone" || complain "the guest was not replaced"
  succeeds warm -z overlay:deb true
}
one_waits() { [[ $(member "$ISOLATECTL" --json ps | jq -c 'map(.waits) | sort') == '[false,true]' ]]; }
another_waits() { [[ $(member "$ISOLATECTL" --json ps | jq -r 'map(.clone) | join(" ")') == [a-z]* ]] && are_ready 1 &&
  [[ $(member "$ISOLATECTL" --json ps | jq -r '.[0].clone') != "$1" ]]; }

@test "only the member who keeps the guests gets them" {
  keep_warm overlay:deb 1
  fails_plainly 125 isolate 'no warm guest can be taken' -- \
    member_b "$ISOLATE" -q --warm=require -z overlay:deb true
  fails_plainly 125 isolate '' -- outsider "$ISOLATE" -q --warm=require -z overlay:deb true
  are_ready 1
  # Nor does a run of theirs in other groups: the daemon would lease it nothing.
  words_of_user "$USER_A_UID" "$USER_A_GID" "$MEMBER_HOME" --clear-groups
  fails_plainly 125 isolate 'no warm guest can be taken' -- "${WORDS[@]}" "$ISOLATE" -q --warm=require -z overlay:deb true
  are_ready 1
  succeeds warm -z overlay:deb true
}

@test "no member's run gets a guest of an older generation" {
  keep_warm overlay:deb 2
  publish sh -c "echo $MARK >/generation"
  succeeds member "$ISOLATE" -q -z overlay:deb cat /generation
  expect_output "$MARK"
  wait_until 20 new_guest_is_ready || complain "the guests were not replaced"
  end_keeper
  publish rm /generation
  settles overlay "$SIZE"
}
new_guest_is_ready() { [[ $(warm -z overlay:deb cat /generation 2>/dev/null) == "$MARK" ]]; }

@test "after root has taken back a range of ids, no warm guest has it" {
  keep_warm zfs:deb 1 -u "$ZFS_BASE"
  ctl pool range zfs:deb none
  isolate_refuses 'not registered' -- warm -z zfs:deb -u "$ZFS_BASE" true
  ctl pool range zfs:deb "$ZFS_BASE"
  succeeds warm -z zfs:deb -u "$ZFS_BASE" true
}

@test "a member's run prefers a template of their own to a warm guest on root's" {
  # The name has to be in one of root's stores only.
  ctl template create solo --from "$TARBALL"
  here "$ISOLATE" --store "$MAIN" -q -r solo 1
  keep_warm solo 1
  succeeds warm -z solo true
  get_ready 1
  succeeds member "$ISOLATECTL" -q template create solo --from "$TARBALL"
  succeeds member "$ISOLATECTL" -q template edit solo -- touch /own
  succeeds member "$ISOLATE" -q -z solo test -e /own
  # The keeper makes guests of the new template by itself.
  wait_until 20 own_guest_is_ready || complain "$(cat "$SCRATCH/keeper.err")"
  end_keeper
  succeeds member "$ISOLATECTL" -q template remove solo
  rm -rf --one-file-system "$MEMBER_HOME/.local"
  here "$ISOLATE" --store "$MAIN" -q -r solo 0
  ctl template remove solo
}

own_guest_is_ready() { warm -z solo test -e /own 2>/dev/null; }

@test "a member who names a template of several stores is told to say which store" {
  isolate_refuses "template 'deb' is in" 'say which' -- member "$ISOLATE" -q -z deb true
  isolatectl_refuses "template 'deb' is in" 'say which' -- member "$ISOLATECTL" warm deb 1
}

@test "guests and keeper outlast a restart of the daemon" {
  local guests
  keep_warm overlay:deb 2
  guests=$(holders)
  stop_daemon
  sleep 6 # the keeper asks the daemon for the newest generation meanwhile
  fails_plainly 125 isolate 'does not run' -- member "$ISOLATE" -q -z overlay:deb true
  fails_plainly 125 isolate 'does not run' -- warm -z overlay:deb true
  start_daemon
  [[ $(holders) == "$guests" ]] || complain "other guests: $guests, now $(holders)"
  succeeds warm -z overlay:deb true
  get_ready 2
  end_keeper
  settles overlay "$SIZE"
}

@test "a daemon that hangs holds up neither keeper nor guests for long" {
  keep_warm overlay:deb 2
  kill -STOP "$(daemon_pid)"
  fails_plainly 125 isolate 'isolated does not answer' -- timeout 10 "${MEMBER[@]}" "$ISOLATE" -q --warm=require -z overlay:deb true
  sleep 6
  kill "$KEEPER"
  wait_until 10 no_holder || complain "left: $(holders)"
  kill -CONT "$(daemon_pid)"
  KEEPER=
  settles overlay "$SIZE"
}

@test "if isolatectl warm or a guest's isolate is killed, the daemon gets the clone back" {
  local pid
  keep_warm overlay:deb 2
  for pid in $(holders); do kill -KILL "$pid"; done
  wait_until 20 two_hold_again "$pid"
  succeeds warm -z overlay:deb true
  kill -KILL "$KEEPER"
  wait_until 10 no_holder || complain "left: $(holders)"
  KEEPER=
  settles overlay "$SIZE"
}

two_hold_again() { [[ $(holders | wc -w) == 2 && " $(holders | tr '\n' ' ') " != *" $1 "* ]]; }

@test "guests that can't be leased are refused in one line" {
  isolatectl_refuses 'no-such-template' -- member "$ISOLATECTL" warm no-such-template 1
  isolatectl_refuses 'no-such-template' -- outsider "$ISOLATECTL" warm no-such-template 1
  run --separate-stderr in_words MEMBER call org.isolate.Manager.GetGeneration '{"template": "no-such-template"}'
  [[ $status == 1 && $stderr == org.isolate.Manager.NoSuchTemplate* ]] || complain "GetGeneration"
  run --separate-stderr in_words MEMBER call org.isolate.Manager.GetGeneration '{}'
  [[ $status == 1 && $stderr == org.varlink.service.InvalidParameter* ]] || complain "GetGeneration without a template"
  start_member_guest
  for words in MEMBER_B OUTSIDER; do
    run --separate-stderr in_words "$words" call org.isolate.Manager.BeginUse "{\"lease\": \"$CLONE\"}"
    [[ $status != 0 ]] || complain "BeginUse by $words"
  done
  run --separate-stderr in_words MEMBER_B call org.isolate.Manager.BeginUse "{\"lease\": \"$CLONE\"}"
  [[ $stderr == org.isolate.Manager.NoSuchLease* ]] || complain "BeginUse of another member's lease"
  run --separate-stderr in_words MEMBER call org.isolate.Manager.BeginUse "{\"lease\": \"$CLONE\"}"
  [[ $status == 1 && $stderr == *'no warm guest that waits'* ]] || complain "BeginUse of a lease that does not wait"
  kill_started TERM
  settles overlay "$SIZE"
}
