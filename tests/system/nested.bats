# variants: root-bwrap user-bwrap: the identities differ in ids and mounts, the engine does not matter
# other variants: root-native user-native root-warm user-warm
# Sandboxes in a guest: programs that make their own namespaces.

load helpers

# Runs a command in a guest with the host's bwrap, which uses the template's libraries.
with_bwrap() { in_clone -d "$(type -P bwrap):/usr/local/bin/bwrap:ro" "$@"; }

@test "with --seccomp=tty bwrap works in a guest, with its own /proc and network" {
  run --separate-stderr with_bwrap --seccomp=tty bwrap --ro-bind / / --dev /dev --proc /proc --unshare-all \
    sh -c 'id -u; ls -d /proc/[0-9]* | wc -l'
  expect_status 0
  [[ ${lines[0]} == 0 && ${lines[1]} -le 5 ]] || complain "inside"
}

@test "with --seccomp=tty a guest can make user and mount namespaces" {
  run --separate-stderr in_clone --seccomp=tty unshare --map-root-user --mount sh -c 'mount -t tmpfs none /mnt && id -u'
  expect_status 0
  expect_output 0
}

@test "without --seccomp=tty the kernel refuses both" {
  run --separate-stderr with_bwrap bwrap --ro-bind / / --unshare-user true
  [[ $status != 0 ]] || complain "bwrap"
  run --separate-stderr in_clone unshare --map-root-user --mount true
  [[ $status != 0 ]] || complain "unshare"
}
