# variants: root-bwrap user-bwrap: ids and what may be mounted differ; no engine has a part in it
# Sandboxes within a guest: programs that make namespaces of their own.

load helpers

# The host's program, with the template's libraries.
with_bwrap() { in_clone -d "$(type -P bwrap):/usr/local/bin/bwrap:ro" "$@"; }

@test "with --seccomp=tty bwrap works in a guest, with a /proc and a network of its own" {
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

@test "without it the kernel refuses both" {
  run --separate-stderr with_bwrap bwrap --ro-bind / / --unshare-user true
  [[ $status != 0 ]] || complain "bwrap"
  run --separate-stderr in_clone unshare --map-root-user --mount true
  [[ $status != 0 ]] || complain "unshare"
}
