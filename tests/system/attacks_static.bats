# variants: root-bwrap user-lxc: each identity and each engine once; nothing here hangs on a pair of them
# other variants: user-bwrap root-lxc
# builds: release
# What holds since isolate is one static file: a build with sanitizers is not, and refuses to be loaded like this.

load helpers
load attacks

setup_file() { place_attacks; }
teardown_file() { remove_attacks; }

@test "E1: no library of the caller's is loaded into anything that isolate starts" {
  local engine variable
  for variable in LD_PRELOAD LD_AUDIT; do
    for engine in "$ENGINE" chroot; do
      : >"$SCRATCH/loaded"
      chmod 0666 "$SCRATCH/loaded"
      succeeds with_variables "$variable=$ATTACKS/preload.so" "LOADED_FILE=$SCRATCH/loaded" -- \
        -q -e "$engine" -z debian perl -e 'print $ENV{LD_PRELOAD}, $ENV{LD_AUDIT}, $ENV{LOADED_FILE}'
      expect_output ''
      # env, which starts isolate, has it.
      [[ -z $(grep -vxE '(.*/)?(env|setpriv)' "$SCRATCH/loaded") ]] ||
        complain "loaded by: $(sort -u "$SCRATCH/loaded")"
    done
  done
}

# A small root for the guest in the guest.
MAKE_INNER='mkdir /inner; for d in bin lib lib64 sbin usr etc proc dev sys tmp; do
  if [ -L /$d ]; then cp -P /$d /inner/; else mkdir -p /inner/$d; fi; done
  cp -a /usr/bin /usr/lib /usr/lib64 /inner/usr/ 2>/dev/null'

@test "Z3: isolate inside of isolate works or says why in one line, and is never less confined" {
  local options
  for options in '' '--cap-add SYS_ADMIN' '--cap-add ALL --seccomp=none' '-e chroot'; do
    # shellcheck disable=SC2086
    run --separate-stderr isolate -q $options -z debian -d "$BINDIR:/opt/isolate:ro" sh -c "$MAKE_INNER"'
      /opt/isolate/isolate -q -t /inner sh -c "grep -E ^Seccomp: /proc/self/status; readlink /proc/self/ns/user"
      echo "inner $?"; readlink /proc/self/ns/user'
    if [[ $output == *'inner 0'* ]]; then
      [[ ${lines[0]} =~ 2$ && ${lines[1]} != "${lines[-1]}" ]] || complain "inner guest less confined, with '$options'"
    else
      expect_in_output 'inner 125'
      one_error_line isolate
    fi
  done
}
