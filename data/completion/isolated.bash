# Completion of isolated(8) for bash.
# shellcheck shell=bash

_isolated() {
  local word=${COMP_WORDS[COMP_CWORD]}
  if [[ ${COMP_WORDS[COMP_CWORD - 1]} == --store ]]; then
    compopt -o filenames 2>/dev/null
    mapfile -t COMPREPLY < <(compgen -d -- "$word")
  else
    mapfile -t COMPREPLY < <(compgen -W '--store --keep-groups --quiet --help --version' -- "$word")
  fi
}

complete -F _isolated isolated
