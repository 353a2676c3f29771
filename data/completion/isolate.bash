# Completion of isolate(1) for bash. tests/system/completion.bats compares the options with those of isolate --help.
# shellcheck shell=bash

_isolate_options=(--engine --template-dir --template --bind --here --env --chdir --uid-base --gid-base --share-net --ignore-sigint
  --userns --groups --cap-add --cap-drop --read-only --empty-home --seccomp --pty --timeout --ulimit --tmp-size --memory --cpus --pids
  --io-weight --dbus --keep --sync --warm --hold --store --dry-run --timings --status-fd --trace --quiet --home --gpu --desktop --x11 --wayland --pulse --pipewire --refresh --force --no-create --help --version)

# Prints the option that takes the value: the last letter of a word such as -nq.
_isolate_one_option() {
  if [[ $1 == -[!-]* ]]; then printf '%s' "-${1: -1}"; else printf '%s' "$1"; fi
}

# Whether the option takes a value, which is then the next word.
_isolate_takes_value() {
  case $(_isolate_one_option "$1") in
    --engine | --template-dir | --template | --bind | --env | --chdir | --uid-base | --gid-base | --userns | --groups) ;;
    --cap-add | --cap-drop | --seccomp | --timeout | --ulimit | --tmp-size | --memory | --cpus | --pids | --io-weight) ;;
    --store | --status-fd | --refresh | --dbus | --warm) ;;
    -[etzdvpugr]) ;;
    *) return 1 ;;
  esac
}

_isolate_words() { mapfile -t COMPREPLY < <(compgen -W "$1" -- "$2"); }

_isolate_value() {
  local word=$2
  case $(_isolate_one_option "$1") in
    --engine | -e) _isolate_words 'bwrap native lxc chroot' "$word" ;;
    --template | -z | --refresh | -r)
      _isolate_words "$(isolatectl --quiet template list 2>/dev/null | awk 'NR > 1 { print $1 }')" "$word"
      ;;
    --template-dir | -t | --store)
      compopt -o filenames 2>/dev/null
      mapfile -t COMPREPLY < <(compgen -d -- "$word")
      ;;
    --bind | -d)
      compopt -o filenames -o nospace 2>/dev/null
      mapfile -t COMPREPLY < <(compgen -f -- "$word")
      ;;
    --dbus)
      compopt -o nospace 2>/dev/null
      _isolate_words 'session session,notifications session,portals session,talk= session,own= session,see=' "$word"
      mapfile -t -O "${#COMPREPLY[@]}" COMPREPLY < <(compgen -W 'system system,talk= system,own= system,see=' -- "$word")
      ;;
    --userns) _isolate_words 'auto private single' "$word" ;;
    --groups) _isolate_words 'auto keep drop' "$word" ;;
    --warm) _isolate_words 'auto require no' "$word" ;;
    --seccomp)
      _isolate_words 'default tty none' "$word"
      compopt -o filenames 2>/dev/null
      mapfile -t -O "${#COMPREPLY[@]}" COMPREPLY < <(compgen -f -- "$word")
      ;;
    --ulimit)
      compopt -o nospace 2>/dev/null
      _isolate_words 'as= core= cpu= data= fsize= memlock= msgqueue= nofile= nproc= rss= rtprio= sigpending= stack=' "$word"
      ;;
    --cap-add | --cap-drop) _isolate_words 'ALL NET_ADMIN NET_RAW SYS_ADMIN SYS_PTRACE' "$word" ;;
  esac
}

# bash splits --x11=VALUE into three words. Completes the value if the cursor is in it.
_isolate_optional_value() {
  local word=${COMP_WORDS[COMP_CWORD]} sign=$((COMP_CWORD - 1))
  if [[ $word == = ]]; then
    word='' sign=$COMP_CWORD
  fi
  ((sign >= 2)) && [[ ${COMP_WORDS[sign]} == = && ${COMP_WORDS[sign - 1]} == --x11 ]] || return
  _isolate_words 'trusted untrusted nested' "$word"
}

_isolate() {
  local word=${COMP_WORDS[COMP_CWORD]} i
  COMPREPLY=()
  if _isolate_optional_value; then return; fi
  for ((i = 1; i < COMP_CWORD; i++)); do
    if [[ ${COMP_WORDS[i]} == = && ${COMP_WORDS[i - 1]} == --x11 ]]; then
      i=$((i + 1))
      continue
    fi
    if [[ ${COMP_WORDS[i]} == -- || ${COMP_WORDS[i]} != -* ]]; then break; fi
    if _isolate_takes_value "${COMP_WORDS[i]}"; then
      if ((i + 1 == COMP_CWORD)); then
        _isolate_value "${COMP_WORDS[i]}" "$word"
        return
      fi
      i=$((i + 1))
    fi
  done
  if ((i < COMP_CWORD)); then
    # The rest is the command line of another program.
    [[ ${COMP_WORDS[i]} != -- ]] || i=$((i + 1))
    compopt -o default 2>/dev/null
    if declare -F _command_offset >/dev/null; then _command_offset "$i"; fi
  elif [[ $word == -* ]]; then
    _isolate_words "${_isolate_options[*]}" "$word"
  else
    mapfile -t COMPREPLY < <(compgen -c -- "$word")
  fi
}

complete -F _isolate isolate
