# A control group for a file's tests, which LXC needs to boot the init of a root. All processes of these tests are in
# it. Root's runs make groups in it. The user's runs are in a group that the user owns, as systemd would provide it.
#
#   GROUP         its directory
#   PLAIN_CALLER  CALLER outside the group
# shellcheck shell=bash
# shellcheck disable=SC2034,SC2154  # the test files use them

# Call these in setup_file and teardown_file.
give_control_group() {
  # Use another kind of name than isolate does, because runs remove groups that killed runs have left.
  GROUP=$(mktemp --directory /sys/fs/cgroup/systemd/test-of-isolate.XXXXXXXX)
  export GROUP
  chmod 0755 "$GROUP"
  if [[ $IDENTITY == user ]]; then chown -R "$USER_A_UID:$USER_A_GID" "$GROUP"; fi
}
take_control_group() {
  find "$GROUP" -depth -type d -exec rmdir {} +
}

# Call in setup, after common_setup.
enter_control_group() {
  PLAIN_CALLER=("${CALLER[@]}")
  CALLER=(sh -c 'echo $$ >"$0/cgroup.procs" && exec "$@"' "$GROUP" "${CALLER[@]}")
}
