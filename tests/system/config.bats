# variants: user-bwrap: the identity hardly matters
# other variants: root-bwrap
# Configuration files. Keys have the names of the long options. The user's file overrides the machine's, and the command
# line overrides both.

load helpers

# with_config ARGUMENT...: runs isolate without --store, with the text on stdin as the user's configuration.
with_config() {
  mkdir -p "$SCRATCH/config/isolate"
  cat >"$SCRATCH/config/isolate/config.toml"
  as_caller env "XDG_CONFIG_HOME=$SCRATCH/config" "$ISOLATE" "$@"
}

# Writes a configuration of the machine and prints shell code that mounts it over /etc in a private mount namespace.
with_machine_config() {
  mkdir -p "$SCRATCH/etc-upper/isolate" "$SCRATCH/etc-work"
  chmod 0755 "$SCRATCH/etc-upper" "$SCRATCH/etc-upper/isolate"
  cat >"$SCRATCH/etc-upper/isolate/config.toml"
  echo "mount -t overlay overlay -o lowerdir=/etc,upperdir=$SCRATCH/etc-upper,workdir=$SCRATCH/etc-work /etc"
}

@test "with a default template and store, 'isolate id' is enough" {
  succeeds with_config id -u <<END
template = "debian"
store = "$STORE"
quiet = true
END
  expect_output 0
  expect_no_errors
}

@test "all kinds of keys are understood" {
  mkdir "$SCRATCH/bound"
  chown "$CALLER_UID" "$SCRATCH/bound"
  succeeds with_config \
    sh -c 'echo "$A|$B|$PWD"; touch /bound/x 2>/dev/null || echo read-only; touch /x || echo root too' <<END
# a comment
template = "debian"   # another
store = "$STORE"
engine = "bwrap"
env = ["A=1:2", 'B:3=4']
bind = [
  "$SCRATCH/bound:/bound:ro",
]
chdir = "/usr"
share-net = true
read-only = true
cap-drop = ["NET_RAW"]
userns = "auto"
END
  [[ ${lines[0]} == '1:2|3=4|/usr' ]] || complain "env or chdir"
  [[ ${lines[1]} == read-only && ${lines[2]} == 'root too' ]] || complain "bind or read-only"
}

@test "the command line overrides the configuration" {
  succeeds with_config -z debian -v A=line sh -c 'echo "$A $B"' <<END
template = "nosuch"
store = "$STORE"
env = ["A=config", "B=config"]
END
  expect_output 'line config'
}

@test "-t on the command line replaces the configured template" {
  succeeds with_config -q -t "$TREE" id -u <<END
template = "nosuch"
store = "$STORE"
END
  expect_output 0
}

@test "the user's configuration overrides the machine's" {
  local setup
  setup=$(with_machine_config <<END
template = "nosuch"
env = ["A=machine", "B=machine"]
store = "$STORE"
END
  )
  mkdir -p "$SCRATCH/config/isolate"
  printf 'template = "debian"\nenv = ["A=user"]\n' >"$SCRATCH/config/isolate/config.toml"
  succeeds in_private_mounts "$setup" env "XDG_CONFIG_HOME=$SCRATCH/config" "$ISOLATE" -q sh -c 'echo "$A"'
  expect_output user
}

@test "the machine's configuration alone is enough" {
  local setup
  setup=$(printf 'template = "debian"\nstore = "%s"\n' "$STORE" | with_machine_config)
  succeeds in_private_mounts "$setup" "$ISOLATE" -q id -u
  expect_output 0
}

@test "a syntax error is reported in one line with the file's name and the line number" {
  isolate_refuses config.toml:3: -- with_config -z debian true <<END
# the third line has no end
template = "debian"
store = "$STORE
END
  isolate_refuses config.toml:2: -- with_config -z debian true <<END
quiet = true
this is not TOML
END
  isolate_refuses config.toml: -- with_config -z debian true < <(head -c 200 "$ISOLATE")
}

@test "an error about a wrong type or value names the key" {
  isolate_refuses config.toml:1: share-net -- with_config -z debian true <<<'share-net = "perhaps"'
  isolate_refuses engine -- with_config -z debian true <<<'engine = 7'
  isolate_refuses engine -- with_config -z debian true <<<'engine = "docker"'
  isolate_refuses bind -- with_config -z debian true <<<'bind = [1, 2]'
}

@test "an unknown key is an error" {
  isolate_refuses tempalte -- with_config true <<<'tempalte = "debian"'
}

@test "--help and --version work with any configuration" {
  succeeds with_config --help <<<'this is not TOML'
  succeeds with_config --version <<<'this is not TOML'
}

@test "an empty file is a valid configuration" {
  succeeds with_config -q --store "$STORE" -z debian true </dev/null
}

@test "a configuration that can't be read is an error, not an empty configuration" {
  mkdir -p "$SCRATCH/config/isolate"
  mkdir "$SCRATCH/config/isolate/config.toml"
  isolate_refuses config.toml -- \
    as_caller env "XDG_CONFIG_HOME=$SCRATCH/config" "$ISOLATE" --store "$STORE" -z debian true
}

@test "every key is in the man page" {
  local key
  succeeds as_caller "$ISOLATE" --help
  for key in $(grep -oP '^  (-., |    )--\K[a-z0-9-]+' <<<"$output"); do
    grep -Eq "^\.It .*[ ,]$key( |,|$)|^\.Pq Li .*[ ,]*$key( |,|$)" "$BATS_TEST_DIRNAME/../../data/man/isolate.toml.5" ||
      complain "isolate.toml(5) lacks $key"
  done
}

@test "a configuration that somebody else owns or can write is refused, whichever variable leads to it" {
  local path
  mkdir -p "$SCRATCH/home/.config/isolate"
  for path in .config .config/isolate .config/isolate/config.toml; do
    echo 'engine = "chroot"' >"$SCRATCH/home/.config/isolate/config.toml"
    chown -R "$CALLER_UID:$CALLER_GID" "$SCRATCH/home"
    chmod 0644 "$SCRATCH/home/.config/isolate/config.toml"
    succeeds as_caller env -u XDG_CONFIG_HOME "HOME=$SCRATCH/home" "$ISOLATE" --store "$STORE" -z debian true
    expect_in_errors 'chroot engine'
    chown "$USER_B_UID" "$SCRATCH/home/$path"
    isolate_refuses "$SCRATCH/home/$path belongs to user $USER_B_UID" -- \
      as_caller env -u XDG_CONFIG_HOME "HOME=$SCRATCH/home" "$ISOLATE" --store "$STORE" -z debian true
    isolate_refuses "$SCRATCH/home/$path belongs to user $USER_B_UID" -- \
      as_caller env "XDG_CONFIG_HOME=$SCRATCH/home/.config" "$ISOLATE" --store "$STORE" -z debian true
    chown "$CALLER_UID" "$SCRATCH/home/$path"
    chmod o+w "$SCRATCH/home/$path"
    isolate_refuses "chmod go-w $SCRATCH/home/$path" -- \
      as_caller env -u XDG_CONFIG_HOME "HOME=$SCRATCH/home" "$ISOLATE" --store "$STORE" -z debian true
    chmod o-w "$SCRATCH/home/$path"
  done
}
