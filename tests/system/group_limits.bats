# variants: root-bwrap user-lxc user-native: each identity and each engine once, as no test depends on the pair
# other variants: user-bwrap root-lxc root-native root-warm user-warm
# --memory, --cpus, --pids and --io-weight without control groups of version 2: nothing runs without a requested limit.
# tests/vm/limits.bats tests limits that take effect.

load helpers

# Runs a command with the control groups hidden, as on a machine without any.
without_groups() { in_private_mounts 'mount -t tmpfs none /sys/fs/cgroup' "$@"; }

@test "every engine refuses each limit in one line, and nothing runs" {
  local engine limit
  for engine in "$ENGINE" chroot; do
    for limit in --memory=64M --cpus=1.5 --pids=40 --io-weight=200; do
      isolate_refuses 'limits' 'control groups of version 2' -- without_groups "$ISOLATE" --store "$STORE" -q -e "$engine" \
        "$limit" -d "$SCRATCH:/mnt" -z debian touch /mnt/ran
      isolate_refuses 'control groups of version 2' -- without_groups "$ISOLATE" -q -e "$engine" "$limit" \
        -d "$SCRATCH:/mnt" -t "$TREE" touch /mnt/ran
    done
  done
  [[ ! -e $SCRATCH/ran ]]
  store_gets_clean
}

@test "--dry-run and a configured limit are refused, and the command line can lift a configured limit" {
  isolate_refuses 'control groups of version 2' -- without_groups "$ISOLATE" --store "$STORE" --dry-run --pids 9 -z debian true
  as_caller mkdir -p "$SCRATCH/config/isolate"
  printf 'memory = "64M"\ncpus = 1\n' >"$SCRATCH/config/isolate/config.toml"
  limited() { without_groups env "XDG_CONFIG_HOME=$SCRATCH/config" "$ISOLATE" --store "$STORE" -q "$@"; }
  isolate_refuses 'control groups of version 2' -- limited -z debian true
  succeeds limited --memory unlimited --cpus unlimited -z debian echo ran
  expect_output ran
}

# bats test_tags=once
@test "an invalid value is refused with a message" {
  isolate_refuses memory lots -- isolate --memory lots -z debian true
  isolate_refuses memory 5M 6M -- isolate --memory 5M -z debian true
  isolate_refuses memory "'0'" -- isolate --memory 0 -z debian true
  isolate_refuses cpus 0.001 1.5 -- isolate --cpus 0.001 -z debian true
  isolate_refuses cpus two -- isolate --cpus two -z debian true
  isolate_refuses pids "'0'" 4194304 -- isolate --pids 0 -z debian true
  isolate_refuses io-weight 10001 10000 -- isolate --io-weight 10001 -z debian true
}

@test "--status-fd reports which step failed" {
  without_groups sh -c 'exec 9>"$0"; exec "$@"' "$SCRATCH/status" "$ISOLATE" --store "$STORE" -q --status-fd 9 --pids 9 \
    -z debian true || true
  jq -se '.[-1] | .event == "failed" and .step == "limits"' "$SCRATCH/status"
}
