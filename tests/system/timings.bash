# Prints where the time went: the slowest tests, and the time of each file. Needs $BASE/jobs and $BASE/results.
# shellcheck shell=bash

tell_times() {
  echo "== the 20 slowest tests"
  all_times | sort -rn | head -n 20 | awk -F'\t' '{ printf "%7.1f s  %s (%s): %s\n", $1 / 1000, $2, $3, $4 }'
  echo "== seconds of each file, with its set-up, and of its variants"
  times_of_files | sort -rn
}

# Prints a line "MILLISECONDS FILE VARIANT NAME" for each test, separated by tabs.
all_times() {
  local number=0 file variant rest
  while read -r file variant rest; do
    number=$((number + 1))
    [[ -e $BASE/results/$number ]] || continue
    sed -nE "s|^(not )?ok [0-9]+ (.*) (# )?in ([0-9]+) ?ms\$|\4\t${file##*/}\t$variant\t\2|p" "$BASE/results/$number" |
      sed 's/ #$//'
  done <"$BASE/jobs"
}

times_of_files() {
  local number=0 file variant rest
  while read -r file variant rest; do
    number=$((number + 1))
    printf '%s\t%s\t%s\n' "${file##*/}" "$variant" "$(cat "$BASE/results/$number.done" 2>/dev/null || echo 0)"
  done <"$BASE/jobs" |
    awk -F'\t' '{ sum[$1] += $3; all[$1] = all[$1] "  " $2 " " $3 }
                END { for (file in sum) printf "%7.1f  %s:%s\n", sum[file], file, all[file] }'
}
