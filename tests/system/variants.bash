# Decides which files run in which variants. A variant is an identity (root, user) and an engine (bwrap, native, lxc),
# such as root-bwrap. The engine "warm" is native in a warm guest (tests/system/warm_isolate). A file's first lines contain:
#
#   # variants: root-bwrap user-lxc   variants in each run; after a colon the reason why not more, or why all
#   # other variants: user-bwrap      variants in the whole ./dev test only; in its sanitizer build if the file runs
#   there
#   # templates: system               needs a template "system" with an init, besides "debian"
#   # templates: desktop              needs a template "desktop" with programs that show windows and play sound
#   # templates: browser              needs the same with a browser, which takes minutes to make. Such a file runs only
#   in the whole ./dev test, as a test with the tag "long" does
#   # templates: compositor           needs one with a Wayland compositor of Debian 13; several names may stand here
#   # takes long                      starts before the other files, as those with their own stores or daemon do
#   # builds: release                 not with the sanitizers, because the kernel refuses the same to a guest in any
#   build
#
# Tests with the tag "once" run only in the first variant of their file, because neither identity nor engine matters to
# them. Tests with the tag "cold" don't run with the engine "warm": they would look at the script that makes the guest.
# Tests with the tag "long" run only in the whole ./dev test, because they take long for what they find.
# shellcheck shell=bash

# list_jobs FILE...: prints a line "FILE VARIANT TAGS [TEMPLATE...]" for each job. The files that take longest come first, so
# that at the end no worker is left alone with one.
list_jobs() {
  local file first=() others=()
  for file in "$@"; do
    if is_left_out "$file"; then continue; fi
    if grep -Eq 'make_(daemon|stores)|^# takes long$' "$file"; then first+=("$file"); else others+=("$file"); fi
  done
  for file in "${first[@]}" "${others[@]}"; do jobs_of "$file"; done
}

is_left_out() {
  if grep -q '^# templates: browser$' "$1" && [[ ${ISOLATE_TEST_LONG:-} != 1 ]]; then return; fi
  # Fault points exist in a sanitizer build, and in the build of ./dev faults.
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
    [[ $variant != *-warm ]] || tags+=('!cold')
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
    [[ $variant =~ ^(root|user)-(bwrap|native|warm|lxc)$ ]] || die "$1: no such variant: $variant"
    if [[ " ${ISOLATE_TEST_IDENTITIES:-root user} " == *" ${variant%-*} "* &&
      " ${ISOLATE_TEST_ENGINES:-bwrap native warm lxc} " == *" ${variant#*-} "* ]]; then
      echo "$variant"
    fi
  done
}

# Prints the words after "# NAME:" up to a colon.
variants_in_line() { sed -n "s/^# $1: *\([^:]*\).*/\1/p" "$2" | sed 's/ *$//'; }
