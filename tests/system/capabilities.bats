# variants: root-bwrap user-lxc: each identity and each engine once; nothing here hangs on a pair of them
# other variants: user-bwrap root-lxc
# Capabilities inside: those that Docker gives, in a user namespace, and no way to more.

load helpers

# The bits of a set in /proc/self/status, given as shell text to run inside.
status_line() { in_clone "${@:2}" sed -n "s/^$1:[[:space:]]*//p" /proc/self/status; }

@test "the default capabilities are Docker's, and none can be inherited" {
  local set
  for set in CapPrm CapEff CapBnd; do
    succeeds status_line "$set"
    expect_output 00000000a80425fb
  done
  succeeds status_line CapInh
  expect_output 0000000000000000
}

@test "no program gains anything by set-user-id" {
  succeeds status_line NoNewPrivs
  expect_output 1
  succeeds in_clone setpriv --reuid 1000 --regid 1000 --clear-groups \
    sh -c 'cp /usr/bin/id /tmp/id; su -c id </dev/null; id -u'
  expect_not_in_output uid=0
}

@test "--cap-add and --cap-drop take names, lists, ALL, with and without CAP_" {
  succeeds status_line CapEff --cap-drop ALL
  expect_output 0000000000000000
  succeeds status_line CapEff --cap-drop ALL --cap-add CAP_CHOWN,sys_admin --cap-add NET_ADMIN
  expect_output 0000000000201001
  succeeds status_line CapEff --cap-drop CHOWN --cap-drop net_raw,CAP_MKNOD
  expect_output 00000000a00405fa
  succeeds status_line CapEff --cap-add ALL
  [[ $((16#$output & 0x200000)) != 0 ]] || complain "ALL holds SYS_ADMIN"
}

@test "a dropped capability is really gone" {
  run --separate-stderr in_clone --cap-drop CHOWN chown 1 /etc/hostname
  expect_status 1
  succeeds in_clone chown 1 /etc/hostname
}

@test "what is added acts inside only" {
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

@test "our programs can't be written from inside" {
  run --separate-stderr in_clone perl -e 'open(my $f, "+<", "/proc/1/exe") or die; print "opened"'
  expect_not_in_output opened
}

# Holds a key in a session keyring of its own, and then runs a command: the words of a host user with a secret.
WITH_KEY='my ($type, $name, $secret) = ("user", "isolate-test-key", "secret");
  syscall(250, 1, 0) > 0 && syscall(248, $type, $name, $secret, 6, -3) > 0 or die; exec @ARGV or die'
FIND_KEY='my ($type, $name) = ("user", "isolate-test-key");
  print syscall(250, 10, -3, $type, $name, 0) > 0 ? "found" : "none"'

@test "with plain bwrap a key of the caller's session is found inside" {
  # Shows that the next test can fail.
  succeeds as_caller perl -e "$WITH_KEY" bwrap --bind "$TREE" / --proc /proc --dev /dev -- /usr/bin/perl -e "$FIND_KEY"
  expect_output found
}

@test "keys of the caller's session are not found inside" {
  succeeds as_caller perl -e "$WITH_KEY" "$ISOLATE" --store "$STORE" -q -z debian perl -e "$FIND_KEY"
  expect_output none
}
