# variants: root-bwrap user-bwrap: the identities differ in ids and mounts, the engine does not matter
# Each step of a run fails once, and once the run is killed at it. Needs a build with fault points.

load helpers

# Runs isolate with options that need as many steps as one run can have. With --sync also the removal of the clone is a
# step of the run.
all_steps_run() {
  with_variables PRE_SPAWN_HOOK=true POST_SPAWN_HOOK=true "$@" -- --sync -z debian -e "$ENGINE" \
    -d "$SCRATCH/bound:/made/here:ro" -n sh -c 'touch /x; : '"$MARK"
}

# Prints the names of the steps, as --timings reports them.
steps() {
  with_variables PRE_SPAWN_HOOK=true POST_SPAWN_HOOK=true -- --timings --sync -z debian -e "$ENGINE" \
    -d "$SCRATCH/bound:/made/here:ro" -n true 2>&1 | sed -n 's/^timing: \([^ ]*\) [0-9]*$/\1/p' |
    awk '$0 != "total" && !seen[$0]++'
}

# These times are measured, but are no steps that could fail.
is_measured_only() { [[ $1 == engine-start || $1 == run ]]; }

setup() {
  common_setup
  mkdir "$SCRATCH/bound"
}

fail_each_step() {
  ENGINE=$1
  local step before list
  list=$(steps)
  [[ $(wc -w <<<"$list") -ge 5 ]] || complain "too few steps: $list"
  before=$(mounts)
  for step in $list; do
    is_measured_only "$step" && continue
    run --separate-stderr all_steps_run "ISOLATE_FAULT=$step"
    [[ $status == 125 ]] || complain "status when '$step' fails"
    one_error_line isolate || complain "when '$step' fails"
    expect_in_errors "$step"
    wait_until 2 no_process_with "$MARK" || complain "a process after '$step' failed"
    # If removing the clone failed, gc removes it.
    if [[ $step == lease-drop ]]; then isolatectl gc; fi
    wait_until 2 store_is_clean "$STORE" || complain "left after '$step' failed: $(state_in "$STORE")"
    no_new_mounts "$before" || complain "a mount after '$step' failed"
  done
}

kill_at_each_step() {
  ENGINE=$1
  local step before
  before=$(mounts)
  for step in $(steps); do
    is_measured_only "$step" && continue
    run --separate-stderr all_steps_run "ISOLATE_FAULT=$step:kill"
    [[ $status == 137 || $status == 125 ]] || complain "status when killed at '$step'"
    wait_until 2 no_process_with "$MARK" || complain "a process after the kill at '$step'"
    run isolatectl gc
    [[ $status == 0 ]] || complain "gc after the kill at '$step'"
    store_gets_clean || complain "left after the kill at '$step': $(state_in "$STORE")"
    no_new_mounts "$before" || complain "a mount after the kill at '$step'"
  done
}

@test "bwrap: if a step fails, there is one error line and status 125, and nothing is left" { fail_each_step bwrap; }

@test "bwrap: after SIGKILL at any step, gc removes everything that is left" { kill_at_each_step bwrap; }

@test "chroot: if a step fails, there is one error line and status 125, and nothing is left" { fail_each_step chroot; }

@test "chroot: after SIGKILL at any step, gc removes everything that is left" { kill_at_each_step chroot; }

@test "a fault for an unknown step has no effect" {
  ENGINE=bwrap
  run --separate-stderr all_steps_run ISOLATE_FAULT=no-such-step
  expect_status 0
}

@test "a run has its exit status also if the removal behind it fails or is killed, and gc removes the clone" {
  local fault
  for fault in lease-drop lease-drop:kill; do
    run -7 --separate-stderr with_variables "ISOLATE_FAULT=$fault" -- -q -z debian sh -c 'exit 7'
    [[ -z $stderr ]] || complain "with $fault"
    succeeds isolatectl gc
    store_gets_clean || complain "left: $(state_in "$STORE")"
  done
}
