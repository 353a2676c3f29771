# For the test files about the daemon: the service is set up as by the package, and tester is a member of the group. In
# these files CALLER, start and as_caller refer to tester.
# shellcheck shell=bash
# shellcheck disable=SC2034 # the helpers read them

load vm

CALLER_UID=1000 CALLER_GID=1000
words_of_caller 1000 1000 /home/tester

# set_up_service SIZE: fills the pool. Nobody has asked for a clone yet.
set_up_service() {
  usermod -aG isolate tester
  useradd --no-create-home stranger
  snapshot_now
  isolate -q -r "$DATASET" "$1"
}

take_down_service() {
  systemctl disable --now isolated.socket isolated.service
  # The kernel may end the service's mount namespace a moment after the service. Until then the clones are busy.
  wait_until 60 remove_clones
}
remove_clones() { isolate -q -f -r "$DATASET" 0 && [[ $(number_of_clones debisl) == 0 ]]; }

# Each test ends with a full pool and nothing else. The daemon fills it, without a refresh by hand.
expect_full_pool() {
  wait_until 60 pool_is_full "$1" || complain "$(isolatectl pool list)
$(clones_of debisl)
$(journalctl --unit isolated.service --lines 30 --no-pager)"
}
# The end of a test, whatever it has stopped.
end_with_full_pool() {
  local status=0
  common_teardown || status=1
  systemctl start isolated.socket isolated.service || status=1
  expect_full_pool "$1" || status=1
  return "$status"
}
pool_is_full() {
  pool_is debisl fresh "$1" && pool_is debisl leased 0 && pool_is debisl waiting 0 && [[ $(number_of_clones debisl) == "$1" ]]
}

# The service's log from a moment on: call remember_log, later log_since.
remember_log() {
  LOG_CURSOR=$(journalctl --unit isolated.service --lines 1 --show-cursor --no-pager | sed -n 's/^-- cursor: //p')
  [[ -n $LOG_CURSOR ]] || complain "the service has no log yet"
}
log_since() { journalctl --unit isolated.service --after-cursor "$LOG_CURSOR" --no-pager; }

member() { as_caller "$ISOLATE" "$@"; }
in_clone_of_member() { member -q -z zfs:debisl "$@"; }
pid_of_daemon() { systemctl show --property MainPID --value isolated.service; }
daemon_is_another() { [[ $(pid_of_daemon) != 0 && $(pid_of_daemon) != "$1" && $(systemctl is-active isolated.service) == active ]]; }
# Prints the clone that is leased to a waiting run.
leased_clone() { find "$STORE"/zfs/*/debisl/leased -mindepth 1 -printf '%f\n'; }
# Puts the id map of such a run, as the host sees it, into MAP.
map_of_run() { MAP=$(tr -s ' \n' ' ' <"/proc/$(pid_of_run)/uid_map" | sed 's/^ //; s/ $//'); }
