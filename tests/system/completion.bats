# variants: user-bwrap: the identity hardly matters
# other variants: root-bwrap
# builds: release
# Compares what bash, zsh and fish complete with what the programs' --help prints. A new option or verb that the
# completion lacks makes these tests fail.

load helpers

setup() {
  common_setup
  # An ordinary user may be unable to reach the source directory.
  COMPLETION=$SCRATCH/completion
  cp -R "$HELPERS/../../data/completion" "$COMPLETION"
  chmod -R a+rX "$COMPLETION"
  # Completion must look for templates in the identity's own store.
  mkdir "$SCRATCH/bin"
  printf '#!/bin/sh\nexec %q --store %q "$@"\n' "$ISOLATECTL" "$STORE" >"$SCRATCH/bin/isolatectl"
  chmod 0755 "$SCRATCH/bin/isolatectl"
}

with_programs() { as_caller env "PATH=$SCRATCH/bin:$BINDIR:/usr/bin:/bin:/usr/sbin:/sbin" "HOME=$SCRATCH" "$@"; }

# offered_by_SHELL PROGRAM WORD...: prints the completions for the last word.
offered_by_bash() {
  with_programs bash -c 'source "$1/$2.bash"
    shift
    COMP_WORDS=("$@") COMP_CWORD=$(($# - 1))
    "_$1"
    printf "%s\n" "${COMPREPLY[@]}"' bash "$COMPLETION" "$@"
}
offered_by_fish() {
  with_programs fish --no-config -c 'source $argv[1]/$argv[2].fish; complete --do-complete "$argv[2..]"' "$COMPLETION" "$@" |
    cut -f 1
}
# Replace _arguments by a function that prints its arguments once the words are used up. Only a terminal would show
# more.
offered_by_zsh() {
  with_programs zsh -f -c 'words=("${@[3,-2]}")
    _arguments() {
      if [[ "$*" == *"->arguments"* && $#words -gt 0 ]]; then
        state=arguments line=($words)
        shift words
      else
        print -rl -- "$@"
      fi
    }
    complete_it() { source "$1" }
    complete_it "$1/$2.zsh"' zsh "$COMPLETION" "$@" |
    sed -nE 's/^\*?(\([^)]*\))?(-[[:alnum:]-]+).*/\2/p; s/^1:verb:\((.*)\)$/\1/p' | tr ' ' '\n'
}

sorted_words() { tr -s ' ,\n' '\n' | grep -v '^$' | sort -u; }
long_options() { grep -oE '(^|[ ,])--[a-z0-9-]+' | sorted_words; }

# Prints the long options of a program's --help. Each begins a line there.
options_in_help() { "$@" --help | grep -E '^ +-' | sed -E 's/^( +(-.,? ?)?--[a-z0-9-]+).*/\1/' | long_options; }
verbs_in_help() { "$@" --help | sed '1,/^Subcommands:/d' | awk '{ print $1 }' | sorted_words; }

# expect_same WHAT EXPECTED FOUND
expect_same() {
  local difference
  [[ -n $2 ]] || complain "nothing is expected for $1"
  difference=$(diff <(printf '%s\n' "$2") <(printf '%s\n' "$3")) || complain "$1: < should be offered, > is offered:
$difference"
}

# expect_options_of_verb SHELL VERB...: compares the options of the verb together with those that all verbs take.
expect_options_of_verb() {
  local shell=$1 expected found
  shift
  expected=$({ options_in_help "$ISOLATECTL" "$@" && printf '%s\n' --store --json --quiet; } | sorted_words)
  found=$("offered_by_$shell" isolatectl "$@" -- | long_options)
  expect_same "$shell, isolatectl $*" "$expected" "$found"
}

@test "every option of isolate and isolated is offered, and no other word" {
  local shell program
  for program in isolate isolated; do
    for shell in bash zsh fish; do
      expect_same "$shell, $program" "$(options_in_help "$BINDIR/$program")" "$("offered_by_$shell" "$program" -- | long_options)"
    done
  done
}

@test "zsh and fish offer every one-letter option of isolate" {
  local expected
  expected=$("$ISOLATE" --help | grep -oE '^  -[a-z0-9],' | sorted_words)
  expect_same zsh "$expected" "$(offered_by_zsh isolate - | grep -xE -e '-[a-z0-9]' | sorted_words)"
  expect_same fish "$expected" "$(offered_by_fish isolate - | grep -xE -e '-[a-z0-9]' | sorted_words)"
}

@test "every verb of isolatectl and all of its options are offered" {
  local shell verb
  for shell in bash zsh fish; do
    expect_same "$shell, isolatectl" "$(options_in_help "$ISOLATECTL")" "$("offered_by_$shell" isolatectl -- | long_options)"
    expect_same "$shell, verbs" "$(verbs_in_help "$ISOLATECTL")" "$("offered_by_$shell" isolatectl '' | grep -v '^-' | sorted_words)"
    for verb in $(verbs_in_help "$ISOLATECTL"); do
      case $verb in
        template | pool | launcher)
          expect_same "$shell, verbs of $verb" "$(verbs_in_help "$ISOLATECTL" "$verb")" \
            "$("offered_by_$shell" isolatectl "$verb" '' | grep -v '^-' | sorted_words)"
          ;;
        *) expect_options_of_verb "$shell" "$verb" ;;
      esac
    done
    for verb in $(verbs_in_help "$ISOLATECTL" template); do expect_options_of_verb "$shell" template "$verb"; done
    for verb in $(verbs_in_help "$ISOLATECTL" pool); do expect_options_of_verb "$shell" pool "$verb"; done
    for verb in $(verbs_in_help "$ISOLATECTL" launcher); do expect_options_of_verb "$shell" launcher "$verb"; done
  done
}

@test "templates are offered where an argument is a template" {
  local shell
  for shell in bash fish; do
    expect_same "$shell, -z" debian "$("offered_by_$shell" isolate -q -z deb)"
    expect_same "$shell, --template" debian "$("offered_by_$shell" isolate --template deb)"
    expect_same "$shell, show" debian "$("offered_by_$shell" isolatectl template show deb)"
    expect_same "$shell, pool" debian "$("offered_by_$shell" isolatectl pool --json drain deb)"
    expect_same "$shell, launcher" debian "$("offered_by_$shell" isolatectl launcher create --template deb)"
    expect_same "$shell, --userns" private "$("offered_by_$shell" isolate --userns pri)"
    expect_same "$shell, -e" chroot "$("offered_by_$shell" isolate -nqe ch)"
  done
}

@test "no options of isolate are offered after the command" {
  local shell
  for shell in bash fish; do
    [[ $("offered_by_$shell" isolate -z debian cat --) != *--template* ]] || complain "$shell"
    [[ $("offered_by_$shell" isolate -z debian -- cat --) != *--template* ]] || complain "$shell, behind --"
    [[ $("offered_by_$shell" isolate -z debian --) == *--template* ]] || complain "$shell, before the command"
  done
}

@test "zsh and fish can parse their completion files" {
  local file
  for file in "$COMPLETION"/*.zsh; do succeeds zsh -f -n "$file"; done
  for file in "$COMPLETION"/*.fish; do succeeds fish --no-config --no-execute "$file"; done
}
