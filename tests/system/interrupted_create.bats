# variants: root-bwrap: the identity hardly matters
# other variants: user-bwrap
# An interrupted isolatectl template create leaves nothing, and the name stays free.

load helpers

setup() {
  common_setup
  STORE=$SCRATCH/store
  mkdir -m 0700 "$STORE"
  chown "$CALLER_UID:$CALLER_GID" "$STORE"
}

store_has_a_draft() { [[ -n $(state_in "$STORE") ]]; }
running_from_scratch() { [[ -n $(processes_with "$SCRATCH") ]]; }
nothing_runs() { ! running_from_scratch; }

# Starts a create. Once it has begun to write, waits `delay` seconds and ends it with a signal.
interrupt_create() {
  local name=$1 delay=$2
  start "$ISOLATECTL" --store "$STORE" template create halfway --from "$SOURCE"
  wait_until 10 store_has_a_draft
  sleep "$delay"
  kill_started "$name"
}

check_after() {
  local name=$1
  wait_until 3 nothing_runs || complain "processes after SIG$name: $(pgrep --full --list-full -- "$SCRATCH")"
  if [[ $name == KILL ]]; then isolatectl gc; fi
  wait_until 2 store_is_clean "$STORE" || complain "left after SIG$name: $(state_in "$STORE")"
  # Either it was complete before the signal came, or there is no trace of it.
  if template_is_whole; then isolatectl template remove halfway; fi
  [[ -z $(find "$STORE" -name '*halfway*') ]] || complain "a trace after SIG$name"
}
template_is_whole() { isolate -q -z halfway true; }

@test "SIGINT, SIGTERM, SIGHUP and SIGKILL during create from a tarball leave nothing" {
  SOURCE=$TARBALL
  local name
  for name in INT TERM HUP KILL; do
    interrupt_create "$name" 0.05
    if [[ $name != KILL ]]; then [[ $STATUS == $((128 + $(kill -l "$name"))) || $STATUS == [01] ]]; fi
    check_after "$name"
  done
  succeeds isolatectl template create halfway --from "$SOURCE"
  succeeds isolate -q -z halfway true
}

@test "SIGKILL at several moments of create from a directory leaves nothing" {
  SOURCE=$TREE
  local delay
  for delay in 0 0.02 0.05 0.1 0.2 0.4; do
    interrupt_create KILL "$delay"
    check_after KILL
  done
  succeeds isolatectl template create halfway --from "$SOURCE"
}

@test "gc leaves a running create alone" {
  start "$ISOLATECTL" --store "$STORE" template create going --from "$TARBALL"
  wait_until 10 store_has_a_draft
  isolatectl gc
  isolatectl gc
  end_of_started
  [[ $STATUS == 0 ]] || { cat "$SCRATCH/err"; false; }
  succeeds isolate -q -z going true
}

@test "a second create can take the name at once after a crash" {
  SOURCE=$TARBALL
  interrupt_create KILL 0.02
  if template_is_whole; then isolatectl template remove halfway; fi
  succeeds isolatectl template create halfway --from "$TARBALL"
  isolatectl gc
  succeeds isolate -q -z halfway true
}
