# variants: root-bwrap user-bwrap: the identities differ in ids and mounts, the engine does not matter
# other variants: root-native user-native root-warm user-warm
# Links in a template: whatever they point to, nothing is made or changed outside the root.

load helpers

setup() {
  common_setup
  mkdir "$SCRATCH/victim" "$SCRATCH/victim/sub" "$SCRATCH/source"
  echo untouched >"$SCRATCH/victim/file"
  echo bound >"$SCRATCH/source/file"
  chown -R "$CALLER_UID:$CALLER_GID" "$SCRATCH"
  copy_of_tree "$SCRATCH/tree"
  VICTIM_BEFORE=$(state_of_victim)
}

state_of_victim() { find "$SCRATCH/victim" -printf '%p %y %m %U %G %s %C@\n' && cat "$SCRATCH/victim/file"; }
victim_is_untouched() { [[ $(state_of_victim) == "$VICTIM_BEFORE" ]]; }

# plant PATH TARGET: replaces a path of the template by a link.
plant() {
  rm -rf --one-file-system "${SCRATCH:?}/tree/$1"
  ln -s "$2" "$SCRATCH/tree/$1"
}

on_tree() { isolate -q -t "$SCRATCH/tree" "$@"; }

# Prints the ways to name the victim's directory in a link.
ways_out() {
  echo "$SCRATCH/victim"
  echo "/oldroot$SCRATCH/victim"
  echo "/newroot$SCRATCH/victim"
  echo "../../../../../../../../..$SCRATCH/victim"
  echo "/proc/self/root$SCRATCH/victim"
  echo "/proc/1/root$SCRATCH/victim"
  echo "/proc/self/cwd/victim"
  echo "/dev/fd/9/victim"
}

@test "control: plain bwrap 0.8 makes a bind's target on the host" {
  # Shows that the tests below can fail. A newer bwrap is fixed and proves nothing.
  if [[ $(bwrap --version) != 'bubblewrap 0.8.0' ]]; then
    echo "# bwrap is not 0.8.0, so there is no control" >&3
    return 0
  fi
  plant opt "/oldroot$SCRATCH/victim"
  run as_caller bwrap --bind "$SCRATCH/tree" / --bind "$SCRATCH/source" /opt/made -- /bin/true
  [[ -d $SCRATCH/victim/made ]]
}

@test "a bind's target behind a link is made inside or not at all" {
  local way
  while read -r way; do
    plant opt "$way"
    run --separate-stderr on_tree -d "$SCRATCH/source:/opt/made" -d "$SCRATCH/source/file:/opt/made-file" true
    victim_is_untouched || complain "changed outside through $way"
    [[ $status == 0 || $status == 125 ]] || complain "status with $way"
  done < <(ways_out)
}

@test "a target that is itself a link to the outside changes nothing there" {
  local way
  while read -r way; do
    plant srv "$way"
    plant opt "$way/file"
    run --separate-stderr on_tree -d "$SCRATCH/source:/srv" sh -c 'echo spoilt >/srv/file'
    victim_is_untouched || complain "changed outside through $way"
    echo bound >"$SCRATCH/source/file"
    run --separate-stderr on_tree -d "$SCRATCH/source/file:/opt" sh -c 'echo spoilt >/opt'
    victim_is_untouched || complain "changed outside through $way/file"
    echo bound >"$SCRATCH/source/file"
  done < <(ways_out)
}

@test "a link of the template that stays inside is followed" {
  plant opt /usr/share
  succeeds on_tree -d "$SCRATCH/source:/opt/made" cat /usr/share/made/file
  expect_output bound
}

# Puts an empty directory in place of the link again.
unplant() {
  rm "$SCRATCH/tree/$1"
  mkdir "$SCRATCH/tree/$1"
  chown "$CALLER_UID:$CALLER_GID" "$SCRATCH/tree/$1"
}

@test "/proc, /dev and /sys may not be links" {
  local name way
  for name in proc dev sys; do
    for way in "$SCRATCH/victim" "/oldroot$SCRATCH/victim" "../../../../../../..$SCRATCH/victim" /srv; do
      plant "$name" "$way"
      isolate_refuses "/$name" -- isolate -t "$SCRATCH/tree" true
      victim_is_untouched || complain "changed outside through /$name -> $way"
    done
    unplant "$name"
  done
  succeeds on_tree true
}

@test "/tmp and /home as links lead nowhere outside" {
  local name way
  for name in tmp home; do
    for way in "$SCRATCH/victim" "/oldroot$SCRATCH/victim" "../../../../../../..$SCRATCH/victim" /srv; do
      plant "$name" "$way"
      run --separate-stderr on_tree sh -c "echo spoilt >/$name/file; rm -f /$name/sub"
      victim_is_untouched || complain "changed outside through /$name -> $way"
      [[ $status == 0 || $status == 125 ]] || complain "status with /$name -> $way"
    done
    unplant "$name"
  done
}

@test "the chroot engine refuses such links too" {
  local name
  for name in proc dev sys; do
    plant "$name" "$SCRATCH/victim"
    run --separate-stderr on_tree -e chroot true
    victim_is_untouched || complain "changed outside through /$name"
    expect_status 125
    one_error_line isolate
    unplant "$name"
  done
}

@test "files in place of the directories that isolate mounts on are refused" {
  local name
  for name in proc dev sys; do
    rmdir "$SCRATCH/tree/$name" 2>/dev/null || rm -rf --one-file-system "$SCRATCH/tree/$name"
    touch "$SCRATCH/tree/$name"
    isolate_refuses "/$name" -- isolate -t "$SCRATCH/tree" true
    unplant "$name"
  done
}

@test "/etc/resolv.conf as a link: -n shows the host's file inside, and nothing is made outside" {
  local way
  while read -r way; do
    plant etc/resolv.conf "$way/resolv.conf"
    run --separate-stderr on_tree -n true
    victim_is_untouched || complain "changed outside through $way/resolv.conf"
    plant etc/resolv.conf "$way/file"
    run --separate-stderr on_tree -n true
    victim_is_untouched || complain "changed outside through $way/file"
  done < <(ways_out)
  # systemd-resolved makes this link.
  plant etc/resolv.conf ../run/systemd/resolve/stub-resolv.conf
  succeeds on_tree -n cat /etc/resolv.conf
  [[ $output == "$(cat /etc/resolv.conf)" ]] || complain "not the host's resolv.conf"
}

@test "/etc as a link leads nowhere either" {
  mv "$SCRATCH/tree/etc" "$SCRATCH/tree/etc-moved"
  ln -s "$SCRATCH/victim" "$SCRATCH/tree/etc"
  run --separate-stderr on_tree -n true
  victim_is_untouched
}

@test "-p through a link of the template stays inside" {
  plant opt "$SCRATCH/victim"
  run --separate-stderr on_tree -p /opt cat file
  expect_not_in_output untouched
  plant opt /usr/share
  succeeds on_tree -p /opt sh -c 'pwd -P'
  expect_output /usr/share
}

@test "-p never leads to an open descriptor of the caller" {
  local path
  plant opt /proc/self/fd/9
  plant srv /proc/1/cwd
  exec 9<"$SCRATCH"
  for path in /proc/self/fd/9 /proc/self/fd/9/victim /dev/fd/9 /proc/1/cwd /proc/self/cwd /proc/1/root \
    /opt /opt/victim /srv; do
    run --separate-stderr on_tree -p "$path" sh -c 'cat file victim/file; pwd -P; ls -di . /'
    expect_not_in_output untouched
    expect_not_in_output "$SCRATCH"
    [[ $status != 0 || $output == *$'\n'* ]] || complain "status with -p $path"
  done
  isolate_refuses -- isolate -t "$SCRATCH/tree" -p /proc/self/fd/9 true
  isolate_refuses -- isolate -t "$SCRATCH/tree" -p /opt true
  exec 9<&-
}

@test "a program of the template is never run outside the guest" {
  # sh, true, isolate-init and bwrap of the template would print a message.
  local program
  for program in isolate-init bwrap seccomp_wrapper newuidmap; do
    rm -f "$SCRATCH/tree/usr/bin/$program"
    printf '#!/bin/sh\necho "template program ran" >&2\n' >"$SCRATCH/tree/usr/bin/$program"
    chmod 0755 "$SCRATCH/tree/usr/bin/$program"
  done
  succeeds on_tree true
  expect_no_errors
}
