# variants: root-bwrap user-lxc user-native: each identity and each engine once, as no test depends on the pair
# other variants: user-bwrap root-lxc root-native root-warm user-warm
# /etc/hosts: localhost and the guest's own name resolve, whatever the template has there, and the template does not
# change.

load helpers

BOTH_RESOLVE='getent ahosts localhost >/dev/null && getent hosts "$(uname -n)" >/dev/null && echo resolved'

# with_hosts HOOK COMMAND...: runs a command in a clone whose /etc/hosts a hook has made, as the template might have it.
with_hosts() {
  local hook=$1
  shift
  with_variables "PRE_SPAWN_HOOK=$hook" -- -q -z debian "$@"
}

@test "control: the template has no /etc/hosts" {
  [[ ! -e $TREE/etc/hosts ]]
}

@test "localhost and the guest's name resolve with each engine, with and without -n, and with --read-only" {
  local options
  for options in '' '-n' '--read-only' '-e chroot' '--keep'; do
    # shellcheck disable=SC2086
    succeeds in_clone $options sh -c "$BOTH_RESOLVE"
    expect_output resolved
  done
  as_caller "$ISOLATECTL" --store "$STORE" gc --kept >/dev/null 2>&1
}

@test "the template's own lines stay, and names in them are not added again" {
  succeeds with_hosts 'printf "# own\n10.0.0.1 server localhost\n127.0.0.1 localhost\n" >"$ROOTFS/etc/hosts"' cat /etc/hosts
  [[ ${lines[0]} == '# own' && ${lines[1]} == '10.0.0.1 server localhost' && ${#lines[@]} == 5 ]] || complain "lines"
  [[ ${lines[3]} == '::1'*localhost* && ${lines[4]} == '127.0.1.1'* ]] || complain "lines"
}

@test "a clone's file can be changed, and the changes are gone afterwards" {
  local before
  before=$(fingerprint "$TREE/etc")
  succeeds in_clone sh -c 'echo 10.0.0.1 server >>/etc/hosts; getent hosts server'
  expect_in_output 10.0.0.1
  succeeds in_clone sh -c 'getent hosts server || echo none'
  expect_output none
  [[ $(fingerprint "$TREE/etc") == "$before" ]]
}

@test "with -t changes would be lost, so they are refused, and the directory's own file does not change" {
  copy_of_tree "$SCRATCH/tree"
  echo '10.0.0.1 server' >"$SCRATCH/tree/etc/hosts"
  chown "$CALLER_UID:$CALLER_GID" "$SCRATCH/tree/etc/hosts"
  succeeds isolate -q -t "$SCRATCH/tree" sh -c "$BOTH_RESOLVE; echo x 2>/dev/null >>/etc/hosts || echo refused; getent hosts server"
  [[ ${lines[0]} == resolved && ${lines[1]} == refused && ${lines[2]} == 10.0.0.1* ]] || complain "lines"
  [[ $(cat "$SCRATCH/tree/etc/hosts") == '10.0.0.1 server' ]]
  # The chroot engine, which is for maintenance, shows the file itself.
  succeeds isolate -q -e chroot -t "$SCRATCH/tree" sh -c 'echo "10.0.0.2 other" >>/etc/hosts'
  [[ $(wc -l <"$SCRATCH/tree/etc/hosts") == 2 ]]
}

@test "a link, a pipe or a directory in place of /etc/hosts leads nowhere and blocks nothing" {
  echo secret >"$SCRATCH/secret"
  succeeds with_hosts "ln -sf '$SCRATCH/secret' \"\$ROOTFS/etc/hosts\"" sh -c "$BOTH_RESOLVE; cat /etc/hosts"
  expect_in_output resolved
  expect_not_in_output secret
  succeeds with_hosts 'rm -f "$ROOTFS/etc/hosts"; mkfifo "$ROOTFS/etc/hosts"' sh -c "$BOTH_RESOLVE"
  succeeds with_hosts 'rm -f "$ROOTFS/etc/hosts"; mkdir "$ROOTFS/etc/hosts"' test -d /etc/hosts
}

@test "the guest sees a file that is bound on /etc/hosts" {
  echo '10.9.9.9 bound' >"$SCRATCH/hosts"
  succeeds in_clone -d "$SCRATCH/hosts:/etc/hosts:ro" cat /etc/hosts
  expect_output '10.9.9.9 bound'
}

@test "names of the host's file resolve with -n only" {
  cp /etc/hosts "$SCRATCH/hosts"
  echo '10.8.8.8 known-to-the-host' >>"$SCRATCH/hosts"
  local setup="mount --bind '$SCRATCH/hosts' /etc/hosts"
  succeeds in_private_mounts "$setup" "$ISOLATE" --store "$STORE" -q -n -z debian getent hosts known-to-the-host
  expect_in_output 10.8.8.8
  run --separate-stderr in_private_mounts "$setup" "$ISOLATE" --store "$STORE" -q -z debian getent hosts known-to-the-host
  [[ $status != 0 && -z $output ]] || complain "the name resolves without -n"
}
