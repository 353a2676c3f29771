# variants: user-bwrap root-lxc root-native user-warm: each identity and each engine once, as no test depends on the pair
# other variants: root-bwrap user-lxc user-native root-warm
# builds: release
# /proc, /sys and /dev: a guest can't read or change the kernel or the host through them, whatever capabilities it has.

load helpers
load attacks

setup_file() { place_attacks; }
teardown_file() { remove_attacks; }

# Groups of files. Whoever can write one of them controls the machine or learns its secrets.
WRITES='core-pattern helpers kernel-settings memory-settings file-settings sysrq interrupts buses power cgroups
  debugging sysfs-devices init-program device-files'

# Runs a check with the default capabilities, and with all that an option can add.
for_all_rights() {
  local options
  for options in '' '--cap-add ALL' '--cap-add ALL --userns=private' '-n'; do
    # shellcheck disable=SC2086
    "$@" $options
  done
}

@test "P1 control: real root in plain bwrap can open core_pattern for writing" {
  if [[ $IDENTITY == root ]]; then
    gets_through in_plain_bwrap /mnt/attack core-pattern
    gets_through in_plain_bwrap /mnt/attack kernel-settings
  else
    note "these files give no rights to a user's root inside; the next test is about isolate run by root"
    is_refused in_plain_bwrap /mnt/attack core-pattern
  fi
}

nothing_is_written() {
  local probe
  for probe in $WRITES; do is_refused with_attacks "$@" /mnt/attack "$probe"; done
}
@test "P1, P2, P10: a guest can't write kernel settings, triggers and limits" { for_all_rights nothing_is_written; }

@test "P3 control: the owner of the program that pid 1 runs may write it" {
  # ETXTBSY means that the check of rights has passed. It goes away as soon as the program ends.
  cp "$(command -v sleep)" "$SCRATCH/program"
  chown "$CALLER_UID" "$SCRATCH/program"
  start "$SCRATCH/program" "$MARK"
  wait_until 5 a_process_with "^$SCRATCH/program"
  run as_caller "$ATTACKS/attack" write "/proc/$STARTED_PID/exe"
  [[ $output == *ETXTBSY* ]] || complain "expected ETXTBSY"
  kill_started KILL
}

program_is_safe() {
  local before path
  before=$(cd "$BINDIR" && sha256sum ./*)
  # Expect EACCES or EPERM. ETXTBSY would go away when the process ends.
  for path in /proc/1/exe /proc/self/exe; do
    run with_attacks "$@" /mnt/attack write "$path"
    [[ $output != *ETXTBSY* || $path == /proc/self/exe ]] || complain "pid 1's program is only busy"
  done
  # A script with the running program as its interpreter starts isolate-init again, or nothing.
  run with_attacks "$@" sh -c 'printf "#!/proc/1/exe\n" >/tmp/x; chmod 755 /tmp/x; /tmp/x
    printf "#!/proc/self/exe\n" >/tmp/y; chmod 755 /tmp/y; timeout 2 /tmp/y
    for fd in /proc/1/fd/*; do echo x >>"$fd"; done; cp /bin/true /proc/1/exe'
  [[ $(cd "$BINDIR" && sha256sum ./*) == "$before" ]] || complain "our programs have changed, with '$*'"
}
@test "P3: a guest can't change isolate's programs through /proc" { for_all_rights program_is_safe; }

@test "P3: a user's guest can't change isolate's programs, even if they belong to its root" {
  local own=$SCRATCH/programs program
  mkdir "$own"
  for program in isolate isolate-init isolate-lxc; do cp "$BINDIR/$program" "$own/"; done
  chown -R "$CALLER_UID:$CALLER_GID" "$own"
  run --separate-stderr as_caller "$own/isolate" --store "$STORE" -q -z debian --cap-add SYS_PTRACE sh -c \
    'chmod 4777 /proc/1/exe; exec 3</proc/1/exe && chmod 4777 /proc/self/fd/3 || echo refused'
  expect_output refused
  [[ $(stat -c %a "$own/isolate-init") == 755 ]] || complain "changed: $(stat "$own/isolate-init")"
  cmp "$own/isolate-init" "$BINDIR/isolate-init"
}

@test "P3: a command that is a link to a program of isolate's in /proc does not run it outside" {
  local command
  for command in /proc/self/exe /proc/1/exe /proc/self/fd/3 /proc/self/fd/4 /dev/fd/3; do
    run --separate-stderr with_attacks "$command" --version
    [[ $status == 12[567] ]] || complain "status of $command"
  done
}

@test "P4: pid 1 shows nothing of the caller's environment" {
  # environment.bats looks for a secret. This test tries every way to ask pid 1.
  for_all_rights nothing_is_read_of_init
}
nothing_is_read_of_init() {
  case $* in
    *cap-add*)
      run with_variables SECRET=canary-4711 -- -q "$@" -z debian sh -c 'cat /proc/1/environ /proc/1/mem /proc/1/maps'
      expect_not_in_output canary-4711
      ;;
    *) is_refused with_attacks "$@" /mnt/attack init-secrets ;;
  esac
}

@test "P5 control: outside, /proc leads to the root of another process" {
  # From a chroot, the links of a process with another root lead out.
  mkdir "$SCRATCH/root"
  cp "$ATTACKS/attack" "$SCRATCH/root/"
  mkdir "$SCRATCH/root/proc"
  run as_caller unshare --user --map-root-user --mount sh -c '
    mount --rbind /proc "$1/proc" && chroot "$1" /attack foreign-roots' \
    sh "$SCRATCH/root"
  [[ $output == *'is another root'* ]] || complain "from a chroot"
}

no_foreign_root() { is_refused with_attacks "$@" /mnt/attack foreign-roots "$WORK/bin/isolate"; }
@test "P5: no link in /proc leads to another root" {
  for_all_rights no_foreign_root
  no_foreign_root -e chroot
}

@test "P6 control: outside, some tables of the kernel can be read" {
  gets_through "$ATTACKS/attack" kernel-tables
  gets_through "$ATTACKS/attack" kernel-addresses
}

nothing_is_read() {
  local probe
  for probe in kernel-memory kernel-tables kernel-addresses; do
    is_refused with_attacks "$@" /mnt/attack "$probe"
  done
}
@test "P6: a guest can't read memory, logs and tables of the kernel" { for_all_rights nothing_is_read; }

@test "P6: /proc names no keys of other users" {
  local options choices=('' '-n' '--cap-add ALL --userns=private')
  # An ordinary user's guest that may make sandboxes of its own sees the names of the caller's keys.
  if [[ $IDENTITY == root ]]; then choices+=('--cap-add ALL'); fi
  for options in "${choices[@]}"; do
    # shellcheck disable=SC2086
    is_refused with_attacks $options /mnt/attack keys
  done
}

@test "P7: the mount table names no place of the host" {
  mkdir "$SCRATCH/secret-name"
  succeeds with_attacks sh -c 'cat /proc/self/mountinfo /proc/mounts /proc/self/mountstats'
  expect_not_in_output "$WORK/home"
  expect_not_in_output "$STORE"
  # A bind shows its path on its own file system, so nothing is bound here.
  succeeds with_attacks sh -c 'cat /proc/self/cgroup /proc/net/unix /proc/net/tcp /proc/swaps 2>/dev/null
    ls /proc/net/dev_snmp6'
  expect_not_in_output "$WORK"
}

@test "P7: a guest sees no process, socket or shared memory of the host" {
  local engine
  start sleep "$MARK"
  for engine in "$ENGINE" chroot; do
    succeeds with_attacks -e "$engine" sh -c 'cat /proc/[0-9]*/cmdline | tr "\0" " "; ls -d /proc/[0-9]* | wc -l'
    expect_not_in_output "$MARK"
    [[ ${lines[-1]##* } -lt 10 ]] || complain "too many processes"
  done
  kill_started KILL
}

@test "P8: isolate refuses a template in which /sys is a link" {
  copy_of_tree "$SCRATCH/tree"
  mkdir "$SCRATCH/victim"
  rm -rf "$SCRATCH/tree/sys"
  ln -s "$SCRATCH/victim" "$SCRATCH/tree/sys"
  if [[ $ENGINE != lxc ]]; then
    isolate_refuses /sys -- isolate -q -t "$SCRATCH/tree" true
  else
    run --separate-stderr isolate -q -t "$SCRATCH/tree" true
    [[ $status == 0 || $status == 125 ]] || complain "status"
  fi
  isolate_refuses /sys -- isolate -q -e chroot -t "$SCRATCH/tree" true
  [[ -z $(ls -A "$SCRATCH/victim") ]]
}

@test "P8: fake files in the template's /proc are covered by the real /proc" {
  copy_of_tree "$SCRATCH/tree"
  mkdir -p "$SCRATCH/tree/proc/self/attr" "$SCRATCH/tree/proc/sys/kernel"
  echo fake >"$SCRATCH/tree/proc/self/status"
  echo fake >"$SCRATCH/tree/proc/self/uid_map"
  ln -s /etc/passwd "$SCRATCH/tree/proc/self/exe"
  chown -R "$CALLER_UID:$CALLER_GID" "$SCRATCH/tree/proc"
  local engine
  for engine in "$ENGINE" chroot; do
    succeeds isolate -q -e "$engine" -t "$SCRATCH/tree" sh -c 'stat -f -c %T /proc; cat /proc/self/status'
    expect_in_output proc
    expect_not_in_output fake
  done
}

@test "P9 control: without a filter a privileged guest can mount its own /proc" {
  run with_attacks --seccomp=none --cap-add SYS_ADMIN sh -c 'mount -t proc x /srv && cat /srv/self/comm'
  note "the guest's own /proc: status $status (it shows what /proc shows)"
}

fresh_proc_shows_nothing() { is_refused with_attacks "$@" /mnt/attack fresh-proc; }
@test "P9: a guest can't write through a fresh /proc, in its own namespaces or not" {
  for_all_rights fresh_proc_shows_nothing
  for_all_rights fresh_proc_shows_nothing --seccomp=none
}

# Runs a command as root of a user namespace with the ids 0 to 65535 of the host, which some containers have.
with_ids_of_host() {
  local pid status=0
  mkfifo "$SCRATCH/mapped"
  unshare --user --mount sh -c 'read -r _ <"$1"; shift; exec "$@"' sh "$SCRATCH/mapped" "$@" 3>&- &
  pid=$!
  wait_until 5 another_user_namespace "$pid" && echo 0 0 65536 >"/proc/$pid/uid_map" &&
    echo 0 0 65536 >"/proc/$pid/gid_map" && echo >"$SCRATCH/mapped"
  wait "$pid" || status=$?
  rm "$SCRATCH/mapped"
  return "$status"
}

@test "P1, P2: a guest with the id of the host's root can't change the machine through /proc" {
  if [[ $IDENTITY != root || $ENGINE == lxc ]]; then
    note "only root gives the host's ids to a guest"
    return 0
  fi
  # Control: outside of a guest, root of that user namespace may write these files.
  succeeds with_ids_of_host sh -c 'cd /proc && test -w irq -a -w fs -a -w sys/kernel/core_pattern -a -w sys/vm/drop_caches'
  succeeds with_ids_of_host "$ISOLATE" --store "$STORE" -q -e "$ENGINE" -z debian sh -c '
    cd /proc && head -n 1 self/uid_map | tr -s " "
    for file in $(find sysrq-trigger irq bus fs acpi scsi sys -type f 2>/dev/null | grep -v "^sys/net/\|^sys/user/"); do
      (: >>"$file") 2>/dev/null && echo "$file"
    done; true'
  expect_output ' 0 0 65536'
}

@test "P11: links in place of devices change nothing outside, and /dev holds real devices" {
  copy_of_tree "$SCRATCH/tree"
  echo untouched >"$SCRATCH/victim"
  chown "$CALLER_UID" "$SCRATCH/victim"
  local name engine
  rm -rf "$SCRATCH/tree/dev"
  mkdir "$SCRATCH/tree/dev"
  for name in null zero full random urandom tty console ptmx stdin stdout stderr; do
    ln -s "../../../../../../..$SCRATCH/victim" "$SCRATCH/tree/dev/$name"
  done
  ln -s "$SCRATCH" "$SCRATCH/tree/dev/pts"
  ln -s "$SCRATCH" "$SCRATCH/tree/dev/shm"
  for engine in "$ENGINE" chroot; do
    succeeds isolate -q -e "$engine" -t "$SCRATCH/tree" sh -c '
      echo spoilt >/dev/null; echo spoilt 2>/dev/null >/dev/console
      stat -c "%t:%T" /dev/null /dev/zero /dev/full; stat -f -c %T /dev/pts /dev/shm; touch /dev/shm/spoilt'
    [[ ${lines[*]} == '1:3 1:5 1:7 devpts tmpfs' ]] || complain "devices with $engine"
    [[ $(cat "$SCRATCH/victim") == untouched && ! -e $SCRATCH/spoilt ]] || complain "changed outside, with $engine"
  done
}

@test "P11: devices in a bound directory can't be opened" {
  if [[ $IDENTITY != root ]]; then
    note "only root can make device nodes"
    return 0
  fi
  mkdir "$SCRATCH/bound"
  mknod "$SCRATCH/bound/zero" c 1 5
  mknod "$SCRATCH/bound/memory" c 1 1
  chmod 0666 "$SCRATCH"/bound/*
  gets_through outside read "$SCRATCH/bound/zero"
  for_all_rights device_does_not_open -d "$SCRATCH/bound:/srv"
}
device_does_not_open() { is_refused with_attacks "$@" /mnt/attack read /srv/zero /srv/memory; }

sys_is_closed() {
  succeeds with_attacks "$@" sh -c 'cd /sys && find . -maxdepth 3 -type d | sort | grep -v system/ | tr "\n" " "
    ls devices/system | tr "\n" " "; find . -mount -type f | wc -l; find . -name uevent_helper -o -name cgroup*'
  [[ $output =~ ^'. ./devices ./devices/system '('cpu '|'')('node '|'')0$ ]] || complain "in /sys"
  succeeds with_attacks "$@" sh -c 'for file in $(find /sys); do
      test -d "$file" || ! (echo 1 >"$file") 2>/dev/null || echo "written: $file"; done
    mkdir /sys/made /sys/devices/made 2>/dev/null && echo made
    mount -o remount,rw,bind /sys/devices/system/cpu 2>/dev/null && echo 1 >/sys/devices/system/cpu/uevent && echo written
    mkdir /tmp/fresh && mount -t sysfs none /tmp/fresh 2>/dev/null && ls /tmp/fresh; true'
  expect_output ''
}
@test "P10: /sys shows only processors and memory nodes, read-only" {
  sys_is_closed
  sys_is_closed -n
  sys_is_closed --cap-add ALL
  sys_is_closed --cap-add ALL --seccomp=none
}
