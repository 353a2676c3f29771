# variants: root-bwrap user-lxc user-native user-warm: each identity and each engine once, as no test depends on the pair
# other variants: user-bwrap root-lxc root-native root-warm
# builds: release
# Which system calls a guest may make: the documented table holds in each architecture, and the guest can't undo it.

load helpers
load attacks

setup_file() { place_attacks; }
teardown_file() { remove_attacks; }

# --- the tables -------------------------------------------------------------------------------------------------------

# Refused with EPERM to everybody who has the default capabilities: the call exists, but is not permitted.
REFUSED='mount umount2 pivot_root unshare setns swapon swapoff reboot sethostname setdomainname iopl ioperm init_module
  finit_module delete_module kexec_load kexec_file_load acct settimeofday clock_settime quotactl quotactl_fd add_key
  request_key keyctl bpf perf_event_open userfaultfd io_uring_setup io_uring_enter io_uring_register open_by_handle_at
  lookup_dcookie fanotify_init syslog vhangup kcmp pidfd_getfd process_madvise move_pages mbind set_mempolicy
  get_mempolicy set_mempolicy_home_node clone uselib ustat sysfs nfsservctl'
# Refused with ENOSYS, because their flags lie in memory. A program then falls back to older calls, which a filter can
# check.
ABSENT='clone3 fsopen fsconfig fsmount fspick open_tree move_mount mount_setattr'
ABSENT_I386='socketcall'
# Programs need these. With bad arguments the kernel itself answers with any other error.
ALLOWED='capset chown close connect copy_file_range epoll_ctl fallocate fchownat fcntl inotify_add_watch
  ioctl kill memfd_create mknodat name_to_handle_at openat pidfd_open pidfd_send_signal process_vm_readv ptrace read
  recvmsg seccomp sendmsg setgroups setpriority setresuid setuid setxattr signalfd4 socket splice statx timerfd_create
  waitid chroot execve'

# expect_answers ERROR NAME...: expects each line of $output to be "NAME ERROR", or with a leading "!" anything else.
# The error "refused" stands for EPERM and ENOSYS.
expect_answers() {
  local line answer wrong=()
  for line in "${lines[@]}"; do
    answer=${line#* }
    case $1 in
      let-through) [[ $answer != EPERM && $answer != ENOSYS && $answer != *signal* ]] || wrong+=("$line") ;;
      refused) [[ $answer == EPERM || $answer == ENOSYS ]] || wrong+=("$line") ;;
      *) [[ $answer == "$1" ]] || wrong+=("$line") ;;
    esac
  done
  [[ ${#lines[@]} -gt 0 ]] || complain "no answers"
  [[ ${#wrong[@]} == 0 ]] || complain "expected $1: ${wrong[*]}"
}

# answers ERROR ARCHITECTURE "NAME..." OPTION...: checks the answers that calls get inside a guest.
answers() {
  local expected=$1 architecture=$2 names=$3
  shift 3
  # shellcheck disable=SC2086
  succeeds with_attacks "$@" /mnt/attack answers "$architecture" $names
  expect_answers "$expected"
}
# filters_answer ERROR ARCHITECTURE "NAME...": checks the answers of the filters of the started guest.
filters_answer() {
  # shellcheck disable=SC2086
  succeeds "$ATTACKS/attack" filter-answers "$GUEST_PID" "$2" $3
  expect_answers "$1"
}

@test "S1: the command and its children are filtered and gain no privileges" {
  succeeds with_attacks sh -c 'grep -E "^(Seccomp|Seccomp_filters|NoNewPrivs):" /proc/self/status
    sh -c "grep -E ^Seccomp: /proc/self/status"; setsid sh -c "grep -E ^Seccomp: /proc/self/status"'
  [[ $(grep -cE '^Seccomp:\s+2$' <<<"$output") == 3 ]] || complain "Seccomp"
  [[ $output =~ NoNewPrivs:[[:space:]]*1 && $output =~ Seccomp_filters:[[:space:]]*[1-9] ]] || complain "status"
  start_guest
  grep -Eq '^Seccomp:\s+2$' "/proc/$GUEST_PID/status"
  end_guest
}

@test "S1: the chroot engine installs the terminal filter, and --seccomp=none installs no filter" {
  succeeds in_chroot grep -E '^Seccomp:' /proc/self/status
  [[ $output =~ 2$ ]] || complain "chroot"
  succeeds with_attacks --seccomp=none grep -E '^(Seccomp|NoNewPrivs):' /proc/self/status
  [[ $output =~ Seccomp:[[:space:]]*0 && $output =~ NoNewPrivs:[[:space:]]*1 ]] || complain "none"
}

@test "S2 control: without a filter the kernel itself handles the calls that are otherwise refused" {
  # shellcheck disable=SC2086
  succeeds with_attacks --seccomp=none /mnt/attack answers x86_64 $REFUSED $ABSENT
  # Some of these the kernel refuses to a guest anyway, or does not have. The others show that the filter gives the
  # answer.
  local let_through
  let_through=$(grep -vcE ' (EPERM|ENOSYS)$' <<<"$output")
  [[ $let_through -ge 20 ]] || complain "the kernel handled only $let_through"
}

@test "S2: x86-64: refused calls fail with EPERM, optional ones with ENOSYS, and the rest are allowed" {
  answers EPERM x86_64 "$REFUSED"
  answers ENOSYS x86_64 "$ABSENT 600 1000"
  answers let-through x86_64 "$ALLOWED"
}

@test "S2: the filters themselves hold the same table for 64-bit and 32-bit programs" {
  start_guest
  filters_answer EPERM x86_64 "$REFUSED"
  filters_answer ENOSYS x86_64 "$ABSENT 600 1000"
  filters_answer allow x86_64 "$ALLOWED"
  filters_answer EPERM i386 "$REFUSED vm86 vm86old create_module query_module get_kernel_syms"
  filters_answer ENOSYS i386 "$ABSENT $ABSENT_I386 600 1000"
  filters_answer allow i386 "$ALLOWED ipc"
  end_guest
}

@test "S2: the same table holds in a 32-bit program, if the kernel runs one" {
  if ! runs_32_bit; then
    note "this kernel runs no 32-bit programs; the previous test reads the filters themselves"
    run with_attacks /mnt/attack32 call 20
    [[ $status != 0 ]]
    return
  fi
  answers EPERM i386 "$REFUSED"
  answers ENOSYS i386 "$ABSENT $ABSENT_I386 600 1000"
  answers let-through i386 "$ALLOWED"
}

@test "S2: each namespace flag of clone is refused, processes and threads are allowed" {
  local flag
  start_guest
  # CLONE_NEW: NS, CGROUP, UTS, IPC, USER, PID, NET; alone, with SIGCHLD and with upper bits, which mean nothing.
  for flag in 0x20000 0x2000000 0x4000000 0x8000000 0x10000000 0x20000000 0x40000000; do
    filters_say "EPERM x86_64 56 $flag"$'\n'"EPERM x86_64 56 $((flag | 17))"$'\n'"EPERM x86_64 56 $((flag | 1 << 32))
EPERM i386 120 $((flag | 17))"
  done
  filters_say $'allow x86_64 56 17\nallow x86_64 56 0x3d0f00\nallow i386 120 0x3d0f00'
  end_guest
}

@test "S2: an added capability allows its own calls and no others" {
  answers let-through x86_64 'umount2 setns fsconfig open_tree mount_setattr' --cap-add SYS_ADMIN
  answers refused x86_64 'keyctl add_key userfaultfd io_uring_setup kexec_load reboot init_module iopl swapon' \
    --cap-add SYS_ADMIN
  succeeds with_attacks --cap-add SYS_ADMIN sh -c 'mount -t tmpfs x /srv && unshare --mount true && echo done'
  expect_output done
  answers let-through x86_64 'kcmp pidfd_getfd' --cap-add SYS_PTRACE
  answers EPERM x86_64 'mount setns bpf' --cap-add SYS_PTRACE
  answers EPERM x86_64 chroot --cap-drop SYS_CHROOT
}

@test "S2: --seccomp=tty refuses only terminal requests, file leases and the calls for keys" {
  answers let-through x86_64 "setns io_uring_setup $ALLOWED" --seccomp=tty
  answers EPERM x86_64 "add_key keyctl request_key" --seccomp=tty
}

@test "S2, O1: file leases and dnotify are refused, whatever the upper half of the argument holds" {
  local options command
  for options in '' '--seccomp=tty' '-e chroot'; do
    # shellcheck disable=SC2086
    start_guest $options
    for command in 1024 1026; do # F_SETLEASE, F_NOTIFY
      filters_say "EPERM x86_64 72 3 $command 0"
      filters_say "EPERM x86_64 72 3 $((command | 1 << 32)) 0"
      filters_say "EPERM i386 55 3 $command 0"
      filters_say "EPERM i386 221 3 $command 0"
    done
    # F_GETLEASE, F_SETLK, F_ADD_SEALS
    filters_say $'allow x86_64 72 3 1025 0\nallow x86_64 72 3 6 0\nallow i386 221 3 1033 0'
    end_guest
  done
}

# --- S3 to S6 ---------------------------------------------------------------------------------------------------------

@test "S3 control: outside and without a filter, clone3 makes a user namespace" {
  gets_through outside clone3-user
  gets_through with_attacks --seccomp=none /mnt/attack clone3-user
}

@test "S3: clone3 fails with ENOSYS, so its flags can't make a user namespace, and threads work" {
  is_refused_with ENOSYS with_attacks /mnt/attack clone3-user
  local probe
  for probe in clone-user unshare-user unshare-mounts unshare-others; do
    is_refused_with EPERM with_attacks /mnt/attack "$probe"
  done
  is_refused with_attacks /mnt/attack clone-user-i386
  # The GNU C library tries clone3 first to make a thread.
  succeeds with_attacks perl -e 'use threads; my @t = map { threads->create(sub { $_[0] * 2 }, $_) } 1 .. 4;
    print join(",", map { $_->join } @t)' 2>/dev/null || true
  succeeds with_attacks sh -c 'apt-get --version >/dev/null && echo works'
  expect_output works
}

# These numbers mean open, mount, ioctl and so on in one of the architectures.
foreign_calls_are_refused() {
  local architecture number expected=
  for architecture in x32 aarch64 arm mips64n32 unknown; do
    for number in 0 1 2 16 29 56 57 59 101 165 172 220 221 317 512 514 520; do
      expected+="$REFUSAL $architecture $number 0 0x5412"$'\n'
    done
  done
  filters_say "${expected%$'\n'}"
}

@test "S4: calls of foreign architectures and of x32 are always refused" {
  local options
  for options in '' '--seccomp=tty' '-e chroot'; do
    # shellcheck disable=SC2086
    start_guest $options
    foreign_calls_are_refused
    end_guest
  done
  answers EPERM x32 "$ALLOWED"
}

@test "S5 control: without our filter, TIOCSTI reaches the kernel in each of these ways" {
  local probe
  for probe in second-filter filter-listener filter-ptrace; do
    gets_through outside "$probe"
    gets_through with_attacks --seccomp=none /mnt/attack "$probe"
  done
}

@test "S5: a guest's own filter, listener or tracer can't undo ours" {
  local probe options
  for options in '' '--seccomp=tty' '-e chroot' '--cap-add SYS_PTRACE'; do
    for probe in second-filter filter-listener filter-ptrace; do
      # shellcheck disable=SC2086
      is_refused with_attacks $options /mnt/attack "$probe"
    done
    # The guest can install filters of its own. They only make it stricter.
    # shellcheck disable=SC2086
    gets_through with_attacks $options /mnt/attack own-filter
  done
}

@test "S6: static and dynamic programs are filtered alike, and a 32-bit program works or fails with an error" {
  is_refused_with EPERM with_attacks /mnt/attack tiocsti plain -1
  succeeds with_attacks perl -e 'my $z = "Z"; ioctl(STDERR, 0x5412, $z) or print "$!"'
  expect_output 'Operation not permitted'
  run --separate-stderr with_attacks /mnt/attack32 tiocsti -1
  if runs_32_bit; then
    [[ $status == 1 && $output == 'refused: EPERM'* ]] || complain "the 32-bit program was not refused"
  else
    [[ $status == 126 ]] || complain "a 32-bit program on a kernel that runs none"
    one_error_line isolate
  fi
}

@test "S6: an invalid profile is refused in one line" {
  local content
  for content in '' '{' '[]' '{}' '{"defaultAction":"SCMP_ACT_WRONG"}' \
    '{"defaultAction":"SCMP_ACT_ALLOW","syscalls":[{"names":["read"],"action":"SCMP_ACT_WRONG"}]}'; do
    printf '%s' "$content" >"$SCRATCH/profile.json"
    isolate_refuses -- isolate -z debian "--seccomp=$SCRATCH/profile.json" true
  done
  isolate_refuses "$SCRATCH/nothing" -- isolate -z debian "--seccomp=$SCRATCH/nothing" true
  isolate_refuses -- isolate -z debian --seccomp= true
}

@test "S6: a profile that allows everything still gets the terminal filter" {
  echo '{"defaultAction":"SCMP_ACT_ALLOW"}' >"$SCRATCH/profile.json"
  is_refused_with EPERM with_attacks "--seccomp=$SCRATCH/profile.json" /mnt/attack tiocsti plain -1
  answers let-through x86_64 'io_uring_setup setns' "--seccomp=$SCRATCH/profile.json"
  answers EPERM x86_64 'add_key keyctl request_key' "--seccomp=$SCRATCH/profile.json"
}

# Compiled filters are cached in files: first a key, which ends with "standard", then the filter.
kept_filters() { grep -lsE '^standard' "${KEPT:?}"/*; }

@test "S6: a cached filter that another user could have written is not used" {
  KEPT=$CALLER_HOME/.local/share/isolate/seccomp
  if [[ $IDENTITY == root ]]; then KEPT=/run/isolate/seccomp; fi
  # No other test uses these capabilities.
  local odd=(--cap-drop MKNOD --cap-drop SETFCAP --cap-drop AUDIT_WRITE) before file change
  before=$(kept_filters || true)
  is_refused with_attacks "${odd[@]}" /mnt/attack key-add
  [[ $(stat -c %a "$KEPT") == 700 ]] || complain "others may enter $KEPT"
  file=$(comm -13 <(sort <<<"$before") <(kept_filters | sort))
  [[ -f $file && $(stat -c '%a %u' "$file") == "600 $CALLER_UID" ]] || complain "the kept filter: $file"
  for change in 'chmod 0666' "chown $USER_B_UID"; do
    # A filter that allows everything: BPF_RET, SECCOMP_RET_ALLOW.
    perl -e 'local $/; my $text = <STDIN>; print substr($text, 0, index($text, "standard") + 8),
      pack("SCCL", 6, 0, 0, 0x7fff0000)' <"$file" >"$file.new"
    chown "$CALLER_UID:$CALLER_GID" "$file.new"
    chmod 0600 "$file.new"
    mv "$file.new" "$file"
    # A file that the caller wrote is used, which shows that the test changes the right file.
    gets_through with_attacks "${odd[@]}" /mnt/attack key-add
    $change "$file"
    is_refused with_attacks "${odd[@]}" /mnt/attack key-add
    [[ $change == chown* ]] || [[ $(stat -c %a "$file") == 600 ]] || complain "not replaced"
  done
  rm -f "$file"
}

# --- C5, and all attacks ----------------------------------------------------------------------------------------------

@test "C5, I5: calls for the machine's administrator, and sockets to the hypervisor, are refused" {
  local probe
  for probe in reboot kexec kexec-file module module-file module-unload swapon swapoff acct quota iopl ioperm syslog \
    userfaultfd fanotify key-add key-request key-control move-pages priority vsock vsock-datagram vsock-i386 clock \
    clock-adjust bpf perf io-uring real-time higher-limit; do
    is_refused with_attacks /mnt/attack "$probe"
  done
}

@test "I5 control: AF_VSOCK works in plain bwrap, and in isolate without a filter" {
  run outside vsock
  if [[ $status == 0 ]]; then
    gets_through in_plain_bwrap /mnt/attack vsock
    gets_through with_attacks --seccomp=none /mnt/attack vsock
  else
    note "this kernel has no AF_VSOCK: the filter answers EPERM, the kernel EAFNOSUPPORT"
  fi
  is_refused_with EPERM with_attacks /mnt/attack vsock
  start_guest
  local type
  for type in 1 2 5 0x80001; do
    filters_say "EPERM x86_64 41 40 $type 0"$'\n'"EPERM x86_64 41 $((40 | 1 << 32)) $type 0
EPERM i386 359 40 $type 0"
  done
  filters_say "$REFUSAL i386 102 1 0"$'\nallow x86_64 41 2 1 0'
  end_guest
}

@test "all attacks: plain bwrap lets some through" {
  run in_plain_bwrap /mnt/attack all
  note "${lines[-1]}"
  [[ $status == 0 && ${lines[-1]} =~ ^'let through: '[1-9] ]] || complain "plain bwrap"
}

# Prints the attacks that get through before it fails.
none_gets_through() {
  run --separate-stderr with_attacks "$@" /mnt/attack all
  if [[ $status != 1 || ${lines[-1]} != 'let through: 0 of '* ]]; then
    note "let through with '$*':"
    grep ': succeeded: ' <<<"$output" | sed 's/^/#   /' >&3
    complain "${lines[-1]}"
  fi
}

@test "all attacks: the bwrap engine lets none through" {
  none_gets_through
  none_gets_through --userns=private
  none_gets_through --read-only
}

@test "all attacks: none gets through on a terminal and with a bound directory" {
  mkdir "$SCRATCH/bound"
  isolate_on_terminal -d "$SCRATCH/bound:/srv" -- -- /mnt/attack all
  expect_in_output 'let through: 0 of '
  isolate_on_terminal --pty -- -- /mnt/attack all
  expect_in_output 'let through: 0 of '
}

@test "all attacks: the chroot engine is no boundary, but protects the terminal" {
  # Not all attacks, because host's root would change the host.
  local probe
  for probe in tiocsti-kernel tioclinux-kernel second-filter filter-listener filter-ptrace; do
    is_refused in_chroot /mnt/attack "$probe"
  done
}
