# variants: root-bwrap user-lxc user-native user-warm: each identity and each engine once, as no test depends on the pair
# other variants: user-bwrap root-lxc root-native root-warm
# What the caller brings along: descriptors, environment and arguments. None leads out of the guest or changes how it is
# confined.

load helpers
load attacks

setup_file() { place_attacks; }
teardown_file() { remove_attacks; }

# --- F: descriptors ---------------------------------------------------------------------------------------------------

@test "F1, F5 control: an open directory of the caller leads up to the root of the host" {
  gets_through as_caller sh -c 'exec 9<"$1"; exec "$2/attack" parent "$3/attack"' sh "$SCRATCH" "$ATTACKS" "$ATTACKS"
}

@test "F1, F5: no descriptor and no directory inside leads to a file of the host through .." {
  local options
  mkdir "$SCRATCH/bound"
  for options in '' '--cap-add ALL' '-e chroot'; do
    # shellcheck disable=SC2086
    is_refused with_attacks $options -d "$SCRATCH/bound:/srv" -p /srv /mnt/attack parent "$BINDIR/isolate" \
      / /srv /mnt /dev /proc /tmp /dev/shm /proc/1/cwd . 9</ 10<"$SCRATCH"
  done
}

@test "F2: while runs start, no process that the guest sees holds a descriptor of the host" {
  # A guest of the same caller looks at every process that it can see while others start. It must see only its own.
  start_isolate -q -z debian --cap-add ALL -d "$ATTACKS:/mnt:ro" sh -c "for i in 1 2 3 4 5 6 7 8 9 10 11 12 13; do
    /mnt/attack foreign-roots; for d in /proc/[0-9]*/fd/*; do readlink \"\$d\"; done; sleep 0.1
    done 2>/dev/null; : $MARK"
  local number
  for number in {1..8}; do in_clone true; done
  end_of_started
  refute grep -q 'succeeded' "$SCRATCH/out"
  # The guest's own output is a file of the host.
  if grep -v "^$SCRATCH/" "$SCRATCH/out" | grep "$WORK"; then complain "the guest saw a path of the host"; fi
}

# Looks at all processes with a mark in their command line, again and again, until SIGTERM. Prints the processes whose
# open descriptors it could list ("open PID"), and how many processes with the mark it saw.
# shellcheck disable=SC2016
WATCH_DESCRIPTORS='
import os, signal, sys
mark, seen, opened, over = sys.argv[1].encode(), set(), set(), []
signal.signal(signal.SIGTERM, lambda *_: over.append(True))
print("own", os.getpid(), flush=True)
while not over:
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{pid}/cmdline", "rb") as file:
                if mark not in file.read():
                    continue
            seen.add(pid)
            os.listdir(f"/proc/{pid}/fd")
            opened.add(pid)
        except OSError:
            pass
for pid in opened:
    print("open", pid)
print("seen", len(seen))
'

@test "F2: other users of the host can't list the launcher's descriptors, not even before execve" {
  # Another user watches all processes of isolate as they come and go. The watcher's own descriptors show that it can
  # see any.
  setpriv "--reuid=$USER_B_UID" "--regid=$USER_B_GID" --clear-groups -- /usr/bin/python3 -I -S -c "$WATCH_DESCRIPTORS" \
    "$MARK" >"$SCRATCH/seen" 3>&- &
  local watcher=$! number
  STARTED+=("$watcher")
  wait_until 5 grep -q own "$SCRATCH/seen"
  for number in {1..10}; do in_clone sh -c ": $MARK $number"; done
  kill -TERM "$watcher"
  wait "$watcher"
  grep -qx "open $watcher" "$SCRATCH/seen" || complain "the watcher does not even see itself"
  (($(sed -n 's/^seen //p' "$SCRATCH/seen") > 10)) || complain "the watcher missed processes: $(cat "$SCRATCH/seen")"
  if grep ^open "$SCRATCH/seen" | grep -vx "open $watcher"; then complain "it listed others' descriptors"; fi
}

@test "F6: a caller with a thousand descriptors has the same ones after twenty runs" {
  # Write the lists to files, because a pipe would add descriptors of the shell's own.
  succeeds as_caller bash -c 'for i in {10..1000}; do eval "exec $i</dev/null"; done 2>/dev/null
    lists=$1; shift
    ls "/proc/$$/fd" >"$lists/before"; for i in {1..20}; do "$@" || exit 1; done
    ls "/proc/$$/fd" >"$lists/after"; (($(wc -l <"$lists/before") > 990)) && cmp "$lists/before" "$lists/after"' \
    bash "$SCRATCH" "$ISOLATE" --store "$STORE" -q -z debian true
}

# --- E: environment and arguments -------------------------------------------------------------------------------------

@test "E1 control: plain bwrap loads the caller's LD_PRELOAD" {
  : >"$SCRATCH/loaded"
  chmod 0666 "$SCRATCH/loaded"
  as_caller env "LD_PRELOAD=$ATTACKS/preload.so" "LOADED_FILE=$SCRATCH/loaded" bwrap --ro-bind / / true
  grep -q bwrap "$SCRATCH/loaded"
}

@test "E1: the programs that isolate starts load no library of the template" {
  copy_of_tree "$SCRATCH/tree"
  cp "$ATTACKS/preload.so" "$SCRATCH/tree/usr/lib/preload.so"
  echo /usr/lib/preload.so >"$SCRATCH/tree/etc/ld.so.preload"
  : >"$SCRATCH/loaded"
  chmod 0666 "$SCRATCH/loaded"
  # The guest's own programs do load it. They record that in the bound file.
  succeeds isolate -q -t "$SCRATCH/tree" -d "$SCRATCH/loaded:/loaded" -v LOADED_FILE=/loaded /usr/bin/true
  [[ $(sort -u "$SCRATCH/loaded") == */true || $(sort -u "$SCRATCH/loaded") == true ]] ||
    complain "loaded by: $(sort -u "$SCRATCH/loaded")"
}

@test "E1: programs on the caller's search path replace no program that confines the guest" {
  mkdir "$SCRATCH/bin"
  local program
  for program in bwrap newuidmap newgidmap isolate-init seccomp_wrapper mount sh; do
    printf '#!/bin/sh\necho "%s of the search path" >>"%s/ran"\nexit 1\n' "$program" "$SCRATCH" >"$SCRATCH/bin/$program"
    chmod 0755 "$SCRATCH/bin/$program"
  done
  # The caller chooses PATH. What must not happen is that a guest runs unconfined and isolate reports success.
  run --separate-stderr with_variables "PATH=$SCRATCH/bin:/usr/bin:/bin" -- -q -z debian sh -c \
    'grep -E ^Seccomp: /proc/self/status; readlink /proc/self/ns/user'
  if [[ $status == 0 ]]; then
    [[ ${lines[0]} =~ 2$ && ${lines[1]} != "$(readlink /proc/self/ns/user)" ]] || complain "unconfined"
  else
    expect_status 125
    one_error_line isolate
  fi
}

@test "E3: no variable of the old program or of isolate changes how a guest is confined" {
  local variable
  for variable in ISOLATE_ZFSMOUNTPOINT=/ ISOLATE_ZFSPREPAREDONE=1 ISOLATE_ENGINE=chroot ISOLATE_SECCOMP=none \
    ISOLATE_CAP_ADD=ALL ISOLATE_STORE=/ BWRAP=/bin/true ISOLATE_FAULT= container=isolate; do
    succeeds with_variables "$variable" -- -q -z debian -d "$ATTACKS:/mnt:ro" sh -c '
      grep -E "^(Seccomp|CapEff):" /proc/self/status; cat /proc/1/comm; ls -d /proc/[0-9]* | wc -l'
    [[ ${lines[0]} == *00000000a80425fb && ${lines[1]} =~ 2$ && ${lines[2]} == isolate-init ]] || complain "$variable"
  done
}

@test "E4: a command that looks like an option or an assignment is run as a command" {
  local word
  for word in A=B PATH=/nowhere --bind -d --share-net '--args' '9' 'a b' '$(id)' ';id' '--'; do
    # Here "--" itself is a word of the command.
    run -127 --separate-stderr isolate -q -z debian -- "$word" / /
    one_error_line isolate
  done
  run -125 --separate-stderr isolate -q -z debian -- '' / /
  one_error_line isolate
  succeeds in_clone sh -c 'for i; do printf "<%s>" "$i"; done' sh --bind / / -d A=B -- '' $'new\nline' '--seccomp' 9
  expect_output $'<--bind></></><-d><A=B><--><><new\nline><--seccomp><9>'
}

@test "E5: control bytes in names of places and variables are refused or shown escaped" {
  local word
  for word in $'/tmp:/a\nb' $'/tmp:/a\x1b[31m' $'/no/such\n/dir:/x' $'/no/\x1b]0;title\x07:/x'; do
    run --separate-stderr isolate -q -z debian -d "$word" true
    [[ $stderr != *$'\x1b'* && $stderr != *$'\x07'* ]] || complain "a control byte reaches the terminal"
    [[ $status == 0 || ${#stderr_lines[@]} == 1 ]] || complain "more than one line"
  done
  for word in $'A\nB=1' $'A\x1b=1' '=1' 'A B=1' $'A\x01:1'; do
    isolate_refuses -- isolate -z debian -v "$word" true
    [[ $stderr != *$'\x1b'* ]] || complain "a control byte reaches the terminal"
  done
  # A template's name that contains a newline or looks like an option is refused as well.
  isolate_refuses -- isolate -z $'debian\n' true
  isolate_refuses -- isolate -z '--debian' true
}

@test "E6: a hook's working directory is the caller's, not the guest's tree" {
  succeeds with_variables PRE_SPAWN_HOOK=pwd POST_SPAWN_HOOK=pwd -- -q -z debian true
  expect_output "$WORK"$'\n'"$WORK"
}

@test "E6: a hook sees a link that the guest made as a link, and a run that fails in a hook leaves nothing behind" {
  run --separate-stderr with_variables 'POST_SPAWN_HOOK=readlink "$ROOTFS/etc/planted"; exit 1' -- -q -z debian \
    ln -s "$SCRATCH" /etc/planted
  expect_status 125
  expect_output "$SCRATCH"
  store_gets_clean
}

# bats test_tags=cold
@test "Z6: values of -v appear in no command line but isolate's own" {
  start_isolate -q -z debian -v SECRET=canary-8842 sleep "$MARK"
  wait_until 10 a_process_with "^sleep $MARK"
  local pid program found=
  for pid in $(pgrep --full canary-8842); do
    program=$(readlink "/proc/$pid/exe") || continue # it has ended
    # A child of isolate shows isolate's command line until it executes another program.
    [[ $program == "$ISOLATE" ]] || found+=" $(tr '\0' ' ' <"/proc/$pid/cmdline" | cut -c 1-80)"
  done
  [[ -z $found ]] || complain "seen in:$found"
  kill -TERM "$STARTED_PID"
  wait_until 5 no_process_with "$MARK"
}
