# variants: root-bwrap user-lxc user-native: each identity and each engine once, as no test depends on the pair
# other variants: user-bwrap root-lxc root-native
# /home inside is the template's, and --empty-home gives an empty one.

load helpers

setup() {
  common_setup
  STORE=$SCRATCH/store
  mkdir -m 0700 "$STORE"
  chown "$CALLER_UID:$CALLER_GID" "$STORE"
  copy_of_tree "$SCRATCH/small"
  rm -rf --one-file-system "$SCRATCH/small/usr/share" "$SCRATCH/small/var/cache" "$SCRATCH/small/var/lib/apt"
  as_caller mkdir -p "$SCRATCH/small/home/node/app"
  as_caller sh -c 'echo app >"$1"' sh "$SCRATCH/small/home/node/app/main"
  isolatectl template create small --from "$SCRATCH/small"
}
in_small() { isolate -q -z small "$@"; }

@test "the guest sees the template's /home, and its changes there go with the clone" {
  succeeds in_small sh -ec 'cat /home/node/app/main; echo spoilt >/home/node/app/main; touch /home/made; ls /home'
  expect_output $'app\nmade\nnode'
  succeeds in_small sh -c 'cat /home/node/app/main; ls /home'
  expect_output $'app\nnode'
}

@test "a home directory that an edit makes keeps its owner" {
  succeeds isolatectl template edit small -- sh -ec 'mkdir /home/jovyan; chown 1000:100 /home/jovyan'
  succeeds in_small stat -c '%n %u:%g' /home/jovyan
  expect_output '/home/jovyan 1000:100'
}

@test "--empty-home hides the template's /home, on the command line and in the configuration" {
  succeeds in_small --empty-home sh -c 'ls -A /home; stat -f -c %T /home; touch /home/x'
  expect_output tmpfs
  mkdir -p "$SCRATCH/config/isolate"
  echo 'empty-home = true' >"$SCRATCH/config/isolate/config.toml"
  succeeds with_variables XDG_CONFIG_HOME="$SCRATCH/config" -- -q -z small ls -A /home
  expect_output ''
}

@test "the chroot engine shows the template's /home as well" {
  succeeds in_small -e chroot cat /home/node/app/main
  expect_output app
  succeeds in_small -e chroot --empty-home ls -A /home
  expect_output ''
}

@test "a bind below /home hides nothing beside it" {
  mkdir "$SCRATCH/bound"
  chown "$CALLER_UID:$CALLER_GID" "$SCRATCH/bound"
  succeeds in_small -d "$SCRATCH/bound:/home/node/work" ls /home/node
  expect_output $'app\nwork'
}
