#!/usr/bin/env bash
# demo: installs the packages that isolate needs, builds it, makes a Debian template and runs commands in clones of it.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
source tools/common.sh
source tools/packages.sh

programs=$PWD/build/bin

# Prints a command as one would type it, with quotes where a shell needs them, and runs it.
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
    say "the template \"debian\" exists already"
    return
  fi
  say "making the template \"debian\" from debian:bookworm (downloads Debian's base packages)"
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

# Prints the first id above all ranges in /etc/subuid and /etc/subgid.
free_subordinate_id() {
  cat /etc/subuid /etc/subgid 2>/dev/null |
    awk -F: 'BEGIN { first = 100000 } $2 + $3 > first { first = $2 + $3 } END { print first }'
}

has_subordinate_ids() {
  local uid
  uid=$(id -u "$1")
  awk -F: -v name="$1" -v uid="$uid" '($1 == name || $1 == uid) && $3 >= 65536 { found = 1 } END { exit !found }' "$2"
}

# Prints commands that the user can try next, exactly as they type them: ./dev fresh executes these lines.
show_next_commands() {
  local user=$1 first
  say "next: put isolate into PATH"
  echo "    sudo ./dev install"
  say "use the template as root"
  echo "    sudo isolate -z debian id"
  [[ -n $user ]] || return 0
  say "or do the same without root, as $user, with a template of your own"
  if ! { has_subordinate_ids "$user" /etc/subuid && has_subordinate_ids "$user" /etc/subgid; } 2>/dev/null; then
    first=$(free_subordinate_id)
    echo "    sudo usermod --add-subuids $first-$((first + 65535)) --add-subgids $first-$((first + 65535)) $user"
  fi
  echo "    isolatectl template create debian --from debian:bookworm --include make,gcc"
  echo "    isolate -z debian id"
}

main() {
  local user
  (($# == 0)) || fail "usage: ./dev demo"
  need_root demo
  say "this takes 2 to 4 minutes on a new machine, half of it to install packages"
  install_packages build run
  tools/build.sh release isolate isolate-init isolate-lxc isolate-wayland isolate-x11 isolate-zfs isolatectl
  make_template
  run_in_clones
  say "done in $((SECONDS / 60)) min $((SECONDS % 60)) s; the programs are in $programs"
  user=${SUDO_USER:-}
  if [[ $user == root ]] || ! id "$user" >/dev/null 2>&1; then user=; fi
  show_next_commands "$user"
}

main "$@"
