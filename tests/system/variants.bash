# Which files run in which variants. A variant is an identity and an engine: root-bwrap, user-bwrap, root-lxc, user-lxc. A
# file says in its first lines:
#
#   # variants: root-bwrap user-lxc   where it runs each time; behind a colon why not in more, or why in all
#   # other variants: user-bwrap      where it runs in the whole ./dev test alone, in the sanitizer build if it is for both
#   # templates: system               a template "system" beside "debian": one with an init
#   # templates: desktop              a template "desktop": programs that show windows and play sound
#   # templates: browser              the same with a browser
#   # templates: compositor           one with a Wayland compositor of Debian 13; several names may stand here
#   # takes long                      begins before the others, as those with stores or a daemon of their own do
#   # builds: release                 not with the sanitizers: what the kernel refuses to a guest is the same in any build
#
# Tests with the tag "once" run in the first variant of their file alone: they are about what no identity and no engine
# has a hand in. Tests with the tag "long" run in the whole ./dev test alone: they take long for what they find.
# shellcheck shell=bash

# list_jobs FILE...: a line "FILE VARIANT TAGS [TEMPLATE...]" for each. The files that take longest come first, so that no
# worker is left alone with one in the end.
list_jobs() {
  local file first=() others=()
  for file in "$@"; do
    if is_left_out "$file"; then continue; fi
    if grep -Eq 'make_(daemon|stores)|^# takes long$' "$file"; then first+=("$file"); else others+=("$file"); fi
  done
  for file in "${first[@]}" "${others[@]}"; do jobs_of "$file"; done
}

is_left_out() {
  # "with fault points" is a sanitizer build, or that of ./dev faults.
  if [[ ${ISOLATE_FAULT_POINTS:-} == 1 ]]; then
    grep -q '^# builds: release$' "$1"
  else
    [[ $1 == *fault_points.bats ]]
  fi
}

jobs_of() {
  local file=$1 variant tags main=yes
  for variant in $(wanted_variants "$file"); do
    tags=()
    [[ ${ISOLATE_TEST_LONG:-} == 1 ]] || tags+=('!long')
    [[ $main == yes ]] || tags+=('!once')
    main=no
    echo "$file $variant $(IFS=, && echo "${tags[*]:--}")$(sed -n 's/^# templates:\(\( [a-z]*\)*\)$/\1/p' "$file")"
  done
}

wanted_variants() {
  local usual other variant wanted
  usual=$(variants_in_line variants "$1")
  other=$(variants_in_line 'other variants' "$1")
  [[ -n $usual ]] || die "$1: no line \"# variants:\""
  case ${ISOLATE_TEST_VARIANTS:-usual} in
    usual) wanted=$usual ;;
    other) wanted=${other:-$usual} ;;
    whole) if grep -q '^# builds: release$' "$1"; then wanted="$usual $other"; else wanted=$usual; fi ;;
    all) wanted="$usual $other" ;;
    *) die "ISOLATE_TEST_VARIANTS=$ISOLATE_TEST_VARIANTS: usual, whole, other or all" ;;
  esac
  for variant in $wanted; do
    [[ $variant =~ ^(root|user)-(bwrap|lxc)$ ]] || die "$1: no such variant: $variant"
    if [[ " ${ISOLATE_TEST_IDENTITIES:-root user} " == *" ${variant%-*} "* &&
      " ${ISOLATE_TEST_ENGINES:-bwrap lxc} " == *" ${variant#*-} "* ]]; then
      echo "$variant"
    fi
  done
}

# The words behind "# NAME:" up to a colon.
variants_in_line() { sed -n "s/^# $1: *\([^:]*\).*/\1/p" "$2" | sed 's/ *$//'; }
