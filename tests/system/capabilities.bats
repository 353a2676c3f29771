# variants: root-bwrap user-lxc user-native: each identity and each engine once, as no test depends on the pair
# other variants: user-bwrap root-lxc root-native root-warm user-warm
# Capabilities inside: those of Docker's default set, in a user namespace, and no way to gain more.

load helpers

# status_line SET OPTION...: prints the bits of a capability set in /proc/self/status of a guest.
status_line() { in_clone "${@:2}" sed -n "s/^$1:[[:space:]]*//p" /proc/self/status; }

@test "the default capabilities are Docker's, and none is inheritable" {
  local set
  for set in CapPrm CapEff CapBnd; do
    succeeds status_line "$set"
    expect_output 00000000a80425fb
  done
  succeeds status_line CapInh
  expect_output 0000000000000000
}

@test "a set-user-id program gains no privileges" {
  succeeds status_line NoNewPrivs
  expect_output 1
  succeeds in_clone setpriv --reuid 1000 --regid 1000 --clear-groups \
    sh -c 'cp /usr/bin/id /tmp/id; su -c id </dev/null; id -u'
  expect_not_in_output uid=0
}

@test "--cap-add and --cap-drop take names, lists and ALL, with and without CAP_" {
  succeeds status_line CapEff --cap-drop ALL
  expect_output 0000000000000000
  succeeds status_line CapEff --cap-drop ALL --cap-add CAP_CHOWN,sys_admin --cap-add NET_ADMIN
  expect_output 0000000000201001
  succeeds status_line CapEff --cap-drop CHOWN --cap-drop net_raw,CAP_MKNOD
  expect_output 00000000a00405fa
  succeeds status_line CapEff --cap-add ALL
  [[ $((16#$output & 0x200000)) != 0 ]] || complain "ALL lacks SYS_ADMIN"
}

@test "a dropped capability has no effect any more" {
  run --separate-stderr in_clone --cap-drop CHOWN chown 1 /etc/hostname
  expect_status 1
  succeeds in_clone chown 1 /etc/hostname
}

@test "an added capability has effect only inside" {
  local before
  before=$(uname -n)
  run --separate-stderr in_clone --cap-add ALL sh -c '
    echo /canary >/proc/sys/kernel/core_pattern
    echo 1 >/proc/sysrq-trigger
    mount -t sysfs sysfs /mnt && echo x >/mnt/kernel/uevent_helper
    mknod /disk b 7 0 && cat /disk
    mknod /mem c 1 1 && cat /mem
    date -s 2001-01-01'
  [[ $(cat /proc/sys/kernel/core_pattern) != /canary ]]
  [[ $(uname -n) == "$before" && $(date +%Y) != 2001 ]]
}

@test "settings of the kernel can't be written" {
  local path
  for path in /proc/sys/kernel/core_pattern /proc/sys/kernel/modprobe /proc/sys/vm/drop_caches /proc/sysrq-trigger; do
    run --separate-stderr in_clone sh -c "echo 0 >$path"
    [[ $status != 0 ]] || complain "$path was written"
  done
}

@test "memory and logs of the kernel can't be read" {
  local path
  for path in /proc/kcore /proc/kmsg /dev/kmsg /dev/mem /sys/firmware /proc/timer_list; do
    run --separate-stderr in_clone sh -c "head -c 20 $path | wc -c"
    [[ $output == 0 ]] || complain "$path was read"
  done
}

@test "the guest can't write isolate's programs" {
  run --separate-stderr in_clone perl -e 'open(my $f, "+<", "/proc/1/exe") or die; print "opened"'
  expect_not_in_output opened
}

# Puts a key into a new session keyring and then runs a command, as a host user with a secret would.
WITH_KEY='my ($type, $name, $secret) = ("user", "isolate-test-key", "secret");
  syscall(250, 1, 0) > 0 && syscall(248, $type, $name, $secret, 6, -3) > 0 or die; exec @ARGV or die'
FIND_KEY='my ($type, $name) = ("user", "isolate-test-key");
  print syscall(250, 10, -3, $type, $name, 0) > 0 ? "found" : "none"'

@test "control: with plain bwrap a guest finds a key of the caller's session" {
  # Shows that the next test can fail.
  succeeds as_caller perl -e "$WITH_KEY" bwrap --bind "$TREE" / --proc /proc --dev /dev -- /usr/bin/perl -e "$FIND_KEY"
  expect_output found
}

@test "a guest can't find keys of the caller's session" {
  succeeds as_caller perl -e "$WITH_KEY" "$ISOLATE" --store "$STORE" -q -z debian perl -e "$FIND_KEY"
  expect_output none
}
