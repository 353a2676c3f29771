# variants: root-bwrap user-bwrap: the identities differ in ids and mounts, the engine does not matter
# other variants: root-native user-native root-warm user-warm
# Clone mode: every run has its own root, and the template stays as it was.

load helpers

@test "whatever a guest does to its root, the template stays the same byte for byte" {
  fingerprint "$STORE/templates" >"$SCRATCH/before"
  succeeds in_clone sh -ec '
    echo changed >>/etc/passwd
    rm -rf /usr/share/doc /etc/debian_version
    chown 5:6 /etc/hostname /etc/apt
    chmod 4711 /bin/true
    mv /usr/lib/os-release /os-release
    ln -f /bin/true /true && ln -sf /nowhere /etc/mtab
    mkdir -p /a/b/c && echo new >/a/b/c/file && mkfifo /a/fifo
    touch -d 2001-01-01 /usr /etc /var
    rm -r /opt && touch /opt
    perl -e "truncate(q(/bin/ls), 5) or die"
    cat /etc/passwd | tail -n 1'
  expect_output changed
  fingerprint "$STORE/templates" >"$SCRATCH/after"
  cmp "$SCRATCH/before" "$SCRATCH/after"
}

@test "the first run after a boot works with an empty /run" {
  succeeds in_private_mounts 'mount -t tmpfs tmpfs /run' "$ISOLATE" --store "$STORE" -q -z debian id -u
  expect_output 0
  expect_no_errors
}

@test "the first run after a boot can compile a filter of its own" {
  local options
  for options in '--cap-drop KILL' '--cap-drop KILL -e lxc'; do
    # shellcheck disable=SC2086
    succeeds in_private_mounts 'mount -t tmpfs tmpfs /run' "$ISOLATE" --store "$STORE" -q -z debian $options id -u
    expect_output 0
  done
}

@test "a run sees nothing of the previous one" {
  succeeds in_clone sh -c 'echo x >/marker; echo x >>/etc/hosts; rm /etc/debian_version; ls /marker'
  expect_output /marker
  succeeds in_clone sh -c 'test ! -e /marker && test -e /etc/debian_version && ! grep -q ^x /etc/hosts'
}

@test "two runs at a time do not see each other" {
  mkfifo -m 0666 "$SCRATCH/go"
  chown "$CALLER_UID" "$SCRATCH/go"
  start_isolate -q -z debian -d "$SCRATCH:/s" \
    sh -c 'echo 1 >/marker; echo 1 >/tmp/marker; touch /s/ready; read x </s/go; cat /marker'
  wait_until 10 test -e "$SCRATCH/ready"
  succeeds in_clone sh -c 'test ! -e /marker && test ! -e /tmp/marker && echo 2 >/marker && cat /marker'
  expect_output 2
  echo >"$SCRATCH/go"
  end_of_started
  [[ $STATUS == 0 && $(cat "$SCRATCH/out") == 1 ]]
}

# A run that takes another's warm guest ends its own guest, which a third run may wait for.
# bats test_tags=cold
@test "two hundred runs at a time get a clone each, and all clones are removed" {
  local number pids=() failures=0
  for number in {1..200}; do
    in_clone sh -c 'test ! -e /mark && echo $0 >/mark && test "$(cat /mark)" = $0 && uname -n' "$number" \
      >"$SCRATCH/out-$number" 2>"$SCRATCH/err-$number" 3>&- &
    pids+=($!)
  done
  for number in "${pids[@]}"; do wait "$number" || failures=$((failures + 1)); done
  if [[ $failures != 0 ]]; then cat "$SCRATCH"/err-*; fi
  [[ $failures == 0 ]]
  [[ $(cat "$SCRATCH"/out-* | sort -u | wc -l) == 200 ]]
  store_gets_clean
}

@test "nothing remains of a run, however it ended" {
  in_clone true
  store_gets_clean
  run in_clone sh -c 'exit 9'
  store_gets_clean
  run in_clone sh -c 'kill -KILL $$'
  store_gets_clean
  run -127 in_clone no-such-command
  store_gets_clean
  run isolate -z debian -d /no/such/source:/x true
  store_gets_clean
}

@test "nothing remains of a clone that is hard to remove" {
  succeeds in_clone sh -c '
    mkdir -p /deep && cd /deep
    perl -e "for (1..1500) { mkdir q(dddddddddddddddd) or die; chdir q(dddddddddddddddd) or die }"
    mkdir -p /locked/inner && touch /locked/inner/file && chmod 0 /locked/inner /locked
    touch "/new
line" "/ blank" "/-rf" && ln -s / /root-link && ln -s /etc /locked-link'
  store_gets_clean
  [[ -e /etc/passwd ]]
}

@test "--keep keeps the clone and prints where it is" {
  succeeds isolate --keep -z debian sh -c 'echo kept >/kept-file; uname -n'
  local id=$output place file
  place=$(grep -o '/[^ ]*' <<<"$stderr" | grep -F "$id" | head -n 1 | sed "s/[.,;:']*\$//")
  [[ -d $place ]] || complain "isolate named no directory"
  file=$(find "$place" -name kept-file)
  [[ $(cat "$file") == kept ]] || complain "what was written is not in $place"
  # gc does not remove it, because the user asked to keep it.
  isolatectl gc
  [[ -e $file ]]
  rm -rf --one-file-system "$STORE/clones/$id" "$STORE/pools/debian/kept/$id"
}

@test "without --keep isolate names no clone" {
  succeeds isolate -z debian uname -n
  [[ $stderr != *"$output"* ]] || complain "isolate named the clone"
}

@test "with --read-only the guest can't write the root, but can write /tmp, /dev and an empty /home" {
  succeeds in_clone --read-only --empty-home sh -c '
    ! touch /x && ! touch /etc/x && ! rm /etc/passwd && ! echo x >>/etc/passwd
    touch /tmp/x /home/x /dev/x && echo writable'
  expect_output writable
}

@test "a read-only root can't be made writable from inside" {
  succeeds in_clone --read-only --cap-add ALL sh -c '
    mount -o remount,rw / || mount -o remount,bind,rw / || true
    mount -o bind / /tmp && mount -o remount,bind,rw /tmp || true
    if touch /etc/x || touch /tmp/etc/x; then echo written; fi'
  expect_not_in_output written
}

@test "/tmp and an empty /home are in memory, /proc and /dev are the guest's own" {
  succeeds in_clone --empty-home sh -c '
    for i in /tmp /home /proc /dev; do stat -f -c %T $i; done; ls -A /tmp /home | grep -v :; true'
  [[ ${lines[*]} == 'tmpfs tmpfs proc tmpfs' ]] || complain "file systems"
  succeeds in_clone sh -c '
    ls /dev | sort | tr "\n" " "; stat -c "%F %t:%T" /dev/null /dev/zero /dev/urandom; echo x >/dev/null'
  expect_in_output 'character special file 1:3'
  expect_in_output 'character special file 1:5'
  expect_in_output 'character special file 1:9'
  expect_not_in_output loop
  expect_not_in_output kmsg
}

@test "shared memory and pseudo terminals work" {
  succeeds in_clone sh -c 'stat -c "%a" /tmp /dev/shm; script -qec "tty" /dev/null </dev/null'
  expect_in_output $'1777\n1777'
  expect_in_output /dev/pts/0
}

@test "pid 1 is isolate-init, and the guest sees only its own processes" {
  succeeds in_clone sh -c 'cat /proc/1/comm; ls -d /proc/[0-9]* | wc -l'
  [[ ${lines[0]} == isolate-init ]] || complain "pid 1"
  [[ ${lines[1]} -le 6 ]] || complain "too many processes are seen"
}

@test "the host name is the clone's, and changing it has no effect outside" {
  local before
  before=$(uname -n)
  succeeds in_clone uname -n
  [[ $output =~ ^[A-Za-z0-9][A-Za-z0-9._-]+$ && $output != "$before" ]] || complain "not a clone's name"
  run in_clone --cap-add SYS_ADMIN sh -c 'echo other >/proc/sys/kernel/hostname'
  [[ $(uname -n) == "$before" ]]
}

@test "programs find the machine's processors in /sys" {
  succeeds in_clone sh -c 'cat /sys/devices/system/cpu/online; ls -d /sys/devices/system/cpu/cpu0/topology; lscpu'
  expect_in_output "$(cat /sys/devices/system/cpu/online)"
  [[ ! -d /sys/devices/system/cpu/cpu0/topology ]] || expect_in_output 'Socket(s)'
  succeeds in_clone --dry-run true
  expect_in_output 'mount processors on /sys'
}

@test "a directory can be bound below /sys" {
  mkdir "$SCRATCH/bound"
  touch "$SCRATCH/bound/file"
  succeeds in_clone -d "$SCRATCH/bound:/sys/class/bound" ls /sys/class/bound
  expect_output file
  succeeds in_clone -d "$SCRATCH/bound:/sys" ls /sys
  expect_output file
}

@test "the guest sees no other file system of the host" {
  succeeds in_clone sh -c 'cat /proc/self/mountinfo'
  expect_not_in_output "$WORK"
  expect_not_in_output "$STORE"
}

@test "isolatectl makes a store only for a template, not to look for one" {
  local line
  for line in "template list" "template show debian" "template remove debian" "pool list" ps gc; do
    # shellcheck disable=SC2086 # words
    fails_plainly 1 isolatectl 'there are no templates in' -- as_caller "$ISOLATECTL" --store "$SCRATCH/none" $line
  done
  [[ ! -e $SCRATCH/none ]]
  if [[ $IDENTITY == root ]]; then return; fi
  for line in "template list" "pool list" ps gc; do
    # shellcheck disable=SC2086
    succeeds as_caller env XDG_DATA_HOME="$SCRATCH" "$ISOLATECTL" $line
  done
  fails_plainly 1 isolatectl 'make one: isolatectl template create' -- \
    as_caller env XDG_DATA_HOME="$SCRATCH" "$ISOLATECTL" template show debian
  [[ -z $(ls -A "$SCRATCH") ]]
}
