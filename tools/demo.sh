#!/usr/bin/env bash
# demo: from a fresh machine to a command in a throw-away Debian.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
source tools/common.sh
source tools/packages.sh

programs=$PWD/build/bin

# Runs a command for all to see, with words quoted where a shell needs it.
show() {
  local word line='    $'
  for word in "$@"; do
    [[ $word =~ ^[A-Za-z0-9_/.=:-]+$ ]] || word=${word@Q}
    line+=" $word"
  done
  printf '%s\n' "$line"
  "$@"
}

show_status() {
  local status=0
  show "$@" || status=$?
  printf '    status %s\n' "$status"
}

make_template() {
  if "$programs/isolatectl" template show debian >/dev/null 2>&1; then
    say "the template \"debian\" is there already"
    return
  fi
  say "making the template \"debian\" out of debian:bookworm (downloads Debian's base packages)"
  "$programs/isolatectl" template create debian --from debian:bookworm
}

run_in_clones() {
  say "a command in a fresh clone: root inside, alone with its own processes, free to write anywhere"
  show "$programs/isolate" -z debian sh -c \
    'grep PRETTY_NAME /etc/os-release; id; uname -n; ls -d /proc/[0-9]*; echo hello >/root/note; cat /root/note'
  say "a second clone: what the first one wrote is gone"
  show "$programs/isolate" -z debian sh -c 'test ! -e /root/note && echo "there is no /root/note"'
  say "the exit status is the command's own"
  show_status "$programs/isolate" -z debian sh -c 'exit 7'
}

# The first id above all ranges that /etc/subuid and /etc/subgid give away.
free_subordinate_id() {
  cat /etc/subuid /etc/subgid 2>/dev/null |
    awk -F: 'BEGIN { first = 100000 } $2 + $3 > first { first = $2 + $3 } END { print first }'
}

has_subordinate_ids() {
  local uid
  uid=$(id -u "$1")
  awk -F: -v name="$1" -v uid="$uid" '($1 == name || $1 == uid) && $3 >= 65536 { found = 1 } END { exit !found }' "$2"
}

tell_the_ordinary_user() {
  local user=$1 folder=$programs first
  say "$user can do the same without root, with a store of his or her own:"
  if ! { has_subordinate_ids "$user" /etc/subuid && has_subordinate_ids "$user" /etc/subgid; } 2>/dev/null; then
    first=$(free_subordinate_id)
    echo "    sudo usermod --add-subuids $first-$((first + 65535)) --add-subgids $first-$((first + 65535)) $user   # once"
  fi
  if ! runuser -u "$user" -- test -x "$programs/isolate"; then
    folder=/usr/local/bin
    echo "    sudo install $programs/isolate $programs/isolatectl $programs/isolate-init $programs/isolate-lxc $folder   # $user can't reach this folder"
  fi
  echo "    $folder/isolatectl template create debian --from debian:bookworm"
  echo "    $folder/isolate -z debian COMMAND"
}

main() {
  (($# == 0)) || fail "usage: ./dev demo"
  need_root demo
  install_packages build run
  tools/build.sh release isolate isolate-init isolate-lxc isolatectl
  make_template
  run_in_clones
  if [[ -n ${SUDO_USER:-} && $SUDO_USER != root ]] && id "$SUDO_USER" >/dev/null 2>&1; then
    tell_the_ordinary_user "$SUDO_USER"
  fi
  say "done; \"$programs/isolate --help\" tells the rest, \"$programs/isolatectl template remove debian\" removes the template"
}

main "$@"
