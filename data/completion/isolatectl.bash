# Completion of isolatectl(1) for bash. tests/system/completion.bats compares it with the output of isolatectl --help.
# shellcheck shell=bash

_isolatectl_words() { mapfile -t COMPREPLY < <(compgen -W "$1" -- "$2"); }
_isolatectl_files() {
  compopt -o filenames 2>/dev/null
  mapfile -t COMPREPLY < <(compgen "$1" -- "$2")
}
_isolatectl_templates() {
  _isolatectl_words "$(isolatectl --quiet template list 2>/dev/null | awk 'NR > 1 { print $1 }')" "$1"
}

# Prints the verbs that can follow, or the options of a complete verb.
_isolatectl_next() {
  case $1 in
    '') echo template pool gc ps kill exec warm launcher status --version ;;
    template) echo create edit list show snapshot remove gc ;;
    pool) echo list status resize drain range ;;
    launcher) echo create list remove ;;
    'template edit') echo --env --continue --publish --discard ;;
    'template list') echo --size ;;
    'template create') echo --from --mirror --variant --include --force ;;
    'launcher create') echo --template --share-net --home --icon ;;
    gc | 'template gc' | ps) echo --kept ;;
    exec) echo --tty --directory --variable ;;
  esac
}

_isolatectl() {
  local word=${COMP_WORDS[COMP_CWORD]} verb='' names=0 i
  COMPREPLY=()
  for ((i = 1; i < COMP_CWORD; i++)); do
    case ${COMP_WORDS[i]} in
      --) return ;;
      --store | --from | --mirror | --variant | --include | --template | --home | --icon | --directory | -p | --variable | --env | -v)
        i=$((i + 1))
        ;;
      -*) ;;
      *)
        if [[ " $(_isolatectl_next "$verb") " == *" ${COMP_WORDS[i]} "* ]]; then
          verb+=${verb:+ }${COMP_WORDS[i]}
        else
          names=$((names + 1))
          # What follows belongs to the command, or to isolate.
          if [[ $verb == exec || ($verb == warm && $names == 2) ]]; then return; fi
        fi
        ;;
    esac
  done
  case ${COMP_WORDS[COMP_CWORD - 1]} in
    --store) _isolatectl_files -d "$word" ;;
    --from)
      _isolatectl_files -f "$word"
      mapfile -t -O "${#COMPREPLY[@]}" COMPREPLY < <(compgen -W 'debian:bookworm debian:trixie' -- "$word")
      ;;
    --template) _isolatectl_templates "$word" ;;
    --home) _isolatectl_files -d "$word" ;;
    --icon) _isolatectl_files -f "$word" ;;
    --variant) _isolatectl_words 'minbase apt essential buildd important standard' "$word" ;;
    --mirror | --include | --directory | -p | --variable | --env | -v) ;;
    *)
      if [[ $word == -* || -z $verb || $verb =~ ^(template|pool|launcher)$ ]]; then
        _isolatectl_words "$(_isolatectl_next "$verb") --store --json --quiet --help" "$word"
      elif ((names == 0)) && [[ $verb =~ ^(template (edit|show|snapshot|remove)|pool (status|resize|drain|range))$ ]]; then
        _isolatectl_templates "$word"
      elif ((names == 0)) && [[ $verb == 'launcher remove' ]]; then
        _isolatectl_words "$(isolatectl --quiet launcher list 2>/dev/null | awk 'NR > 1 { print $1 }')" "$word"
      elif ((names == 0)) && [[ $verb == kill || $verb == exec ]]; then
        _isolatectl_words "$(isolatectl --quiet ps 2>/dev/null | awk 'NR > 1 { print $1 }')" "$word"
      fi
      ;;
  esac
}

complete -F _isolatectl isolatectl
