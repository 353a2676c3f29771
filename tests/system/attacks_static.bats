# variants: root-bwrap user-lxc user-native: each identity and each engine once, as no test depends on the pair
# other variants: user-bwrap root-lxc root-native root-warm user-warm
# builds: release
# These hold because isolate is one static file. A build with sanitizers is dynamic, and can't be loaded like this.

load helpers
load attacks

setup_file() { place_attacks; }
teardown_file() { remove_attacks; }

# bats test_tags=cold
@test "E1: nothing that isolate starts loads a library of the caller" {
  local engine variable
  for variable in LD_PRELOAD LD_AUDIT; do
    for engine in "$ENGINE" chroot; do
      : >"$SCRATCH/loaded"
      chmod 0666 "$SCRATCH/loaded"
      succeeds with_variables "$variable=$ATTACKS/preload.so" "LOADED_FILE=$SCRATCH/loaded" -- \
        -q -e "$engine" -z debian perl -e 'print $ENV{LD_PRELOAD}, $ENV{LD_AUDIT}, $ENV{LOADED_FILE}'
      expect_output ''
      # env, which starts isolate, does load it.
      [[ -z $(grep -vxE '(.*/)?(env|setpriv)' "$SCRATCH/loaded") ]] ||
        complain "loaded by: $(sort -u "$SCRATCH/loaded")"
    done
  done
}

# Makes a small root for the guest in the guest.
MAKE_INNER='mkdir /inner; for d in bin lib lib64 sbin usr etc proc dev sys tmp; do
  if [ -L /$d ]; then cp -P /$d /inner/; else mkdir -p /inner/$d; fi; done
  cp -a /usr/bin /usr/lib /usr/lib64 /inner/usr/ 2>/dev/null'

@test "Z3: isolate inside isolate works or says why not in one line, and never confines less" {
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
