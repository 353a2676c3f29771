# A control group for the tests of a file, which LXC needs to boot the init of a root. All processes of these tests are in
# it: root's runs make groups in it, and the user's are within one that they own, as a systemd would give it to them.
#
#   GROUP         its directory
#   PLAIN_CALLER  CALLER as it is outside of the group
# shellcheck shell=bash
# shellcheck disable=SC2034,SC2154  # the test files use them

# Call these in setup_file and teardown_file.
give_control_group() {
  # Not a name like those of isolate's own groups: runs remove what killed ones have left.
  GROUP=$(mktemp --directory /sys/fs/cgroup/systemd/test-of-isolate.XXXXXXXX)
  export GROUP
  chmod 0755 "$GROUP"
  if [[ $IDENTITY == user ]]; then chown -R "$USER_A_UID:$USER_A_GID" "$GROUP"; fi
}
take_control_group() {
  find "$GROUP" -depth -type d -exec rmdir {} +
}

# In setup, behind common_setup.
enter_control_group() {
  PLAIN_CALLER=("${CALLER[@]}")
  CALLER=(sh -c 'echo $$ >"$0/cgroup.procs" && exec "$@"' "$GROUP" "${CALLER[@]}")
}
