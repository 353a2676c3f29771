# suites: trixie bookworm
# The Debian package: its files, and that upgrade, removal and purge leave alone what does not belong to the package.

load daemon

setup_file() {
  set_up_service 2
  make_small_root "$WORK/small"
  dpkg-deb --raw-extract "$PACKAGE" "$WORK/next"
  sed -i 's/^Version: .*/&+next/' "$WORK/next/DEBIAN/control"
  dpkg-deb --build --root-owner-group -Znone "$WORK/next" "$WORK/next.deb"
}
teardown_file() {
  systemctl disable --now isolated.socket
  isolate -q -f -r "$DATASET" 0
}

version() { dpkg-query --show --showformat '${Version}' isolate-clones; }
status_of_package() { dpkg-query --show --showformat '${db:Status-Status}' isolate-clones 2>/dev/null || true; }
units_of_package() { systemctl list-units --no-legend --state=active --type=service,socket,path '*isolate*'; }
# Prints everything that belongs to the administrator or a user, in a form to compare.
belongings() {
  zfs list -H -o name,type,isolate:clone,creation -t filesystem,snapshot -r rpool
  find /var/lib/isolate /home/tester -printf '%p %y %m %s\n' | grep -v /signal | sort
  getent group isolate
}
# The same without fresh clones, which come and go.
templates() { zfs list -H -o name,guid -t filesystem,snapshot -r rpool | grep -v 'debisl_'; }

@test "all files are where Debian has them, and no other files are installed" {
  local file odd
  odd=$(dpkg --listfiles isolate-clones | grep -vE '^(/\.|/etc(/isolate(/config\.toml)?)?|/usr/(s?bin|libexec|lib/(sysusers|tmpfiles)\.d|share)(/.*)?|/usr(/lib)?|/lib(/systemd(/system(/[^/]+)?)?)?)$' || true)
  [[ -z $odd ]] || complain "$odd"
  # It sets nothing: each line is a comment.
  grep -q '^#engine = "native"$' /etc/isolate/config.toml
  refute grep -v '^#\|^$' /etc/isolate/config.toml
  for file in /usr/bin/{isolate,isolatectl,seccomp_wrapper} /usr/sbin/isolated /usr/libexec/isolate/isolate-{init,lxc,wayland,x11} \
    /usr/share/man/man1/{isolate,isolatectl,seccomp_wrapper}.1.gz /usr/share/man/man5/isolate.toml.5.gz \
    /usr/share/man/man8/isolated.8.gz /usr/share/doc/isolate-clones/copyright \
    /usr/share/bash-completion/completions/{isolate,isolatectl,isolated} \
    /usr/share/zsh/vendor-completions/_{isolate,isolatectl,isolated} \
    /usr/share/fish/vendor_completions.d/{isolate,isolatectl,isolated}.fish \
    /usr/lib/systemd/system/{isolated.service,isolated.socket,isolate-leases.service,isolate_regenerate@.path,isolate_regenerate@.service}; do
    [[ -f $file ]] || complain "no $file"
  done
  succeeds dpkg --verify isolate-clones
  expect_output ''
}

@test "all dependencies are installed, and all programs start" {
  local program
  succeeds dpkg --audit
  expect_output ''
  for program in isolate isolatectl isolated; do
    succeeds "$program" --version
    [[ $output == "$program "* ]] || complain "$program"
  done
}

@test "no program is set-user-id, and others can write no file" {
  local file found=''
  while read -r file; do
    [[ -L $file || -d $file ]] || found+=$(find "$file" \( -perm /6000 -o -perm /022 -o ! -user root \) -print)
  done < <(dpkg --listfiles isolate-clones)
  [[ -z $found ]] || complain "$found"
}

@test "the group exists without members, the socket listens, and the service waits for it" {
  [[ $(systemctl is-enabled isolated.socket) == enabled && $(systemctl is-active isolated.socket) == active ]]
  [[ $(systemctl is-enabled isolated.service) == disabled && $(systemctl is-active isolated.service) == inactive ]]
  [[ $(stat -c %U:%G:%a /var/lib/isolate /run/isolate/mounts | sort -u) == root:root:700 ]]
}

@test "the package can't be installed beside the other program of that name" {
  local folder=$SCRATCH/other
  mkdir -p "$folder/DEBIAN" "$folder/usr/bin"
  printf 'Package: isolate\nVersion: 1\nArchitecture: all\nMaintainer: nobody <n@example.org>\nDescription: other\n' >"$folder/DEBIAN/control"
  touch "$folder/usr/bin/isolate"
  dpkg-deb --build --root-owner-group -Znone "$folder" "$SCRATCH/other.deb"
  run dpkg --install "$SCRATCH/other.deb"
  [[ $status != 0 && $output == *conflict* ]] || complain "both are installed"
  [[ $(status_of_package) == installed && -s /usr/bin/isolate ]]
}

@test "an upgrade under a running guest replaces the daemon and keeps the lease and the pool" {
  local clone before
  start_run -z zfs:debisl -- true
  clone=$(leased_clone)
  before=$(pid_of_daemon)
  succeeds dpkg --install "$WORK/next.deb"
  [[ $(version) == *+next ]]
  daemon_is_another "$before" || complain "$(systemctl status isolated.service)"
  a_process_with "^sleep $MARK" || complain "the guest is gone"
  succeeds in_clone_of_member true
  [[ $(leased_clone) == *"$clone"* ]] || complain "the lease is gone"
  kill_started TERM
  [[ $STATUS == 143 ]]
  expect_full_pool 2
  refute zfs list "$PARENT/$clone"
}

@test "an upgrade does not start stopped units" {
  systemctl disable --now isolated.socket
  succeeds dpkg --install "$WORK/next.deb"
  [[ $(systemctl is-enabled isolated.socket) == disabled && $(systemctl is-active isolated.service) == inactive ]]
  systemctl enable --now isolated.socket
  systemctl start isolated.service
  succeeds in_clone_of_member true
  expect_full_pool 2
}

@test "after a removal a running guest continues to its end, and the next installation removes its clone" {
  local clone before
  before=$(templates)
  systemctl enable --now isolate_regenerate@debisl.path
  start_run -z zfs:debisl -- 'echo text >/tmp/file'
  clone=$(leased_clone)
  succeeds dpkg --remove isolate-clones
  [[ ! -e /usr/bin/isolate && ! -S /run/isolate/org.isolate.Manager ]]
  no_process_with '^/usr/sbin/isolated' || complain "the daemon is still running"
  [[ -z $(units_of_package) ]] || complain "$(units_of_package)"
  a_process_with "^sleep $MARK" || complain "the guest is gone"
  [[ $(templates) == "$before" ]]
  kill_started TERM
  [[ $STATUS == 143 ]]
  zfs list "$PARENT/$clone"
  succeeds dpkg --install "$PACKAGE"
  succeeds in_clone_of_member true
  expect_full_pool 2
  refute zfs list "$PARENT/$clone"
}

@test "a purge destroys no data of users, says what remains, and a new installation uses it again" {
  local before kept
  isolatectl -q template create own --from "$WORK/small"
  succeeds isolate -q --keep -z zfs:debisl sh -c 'echo text >/tmp/../root/kept || true'
  [[ -n $(find /var/lib/isolate -path '*/proc' -type d -empty) ]] || complain "no empty directory in a template"
  as_caller sh -c 'mkdir -p ~/.local/share/isolate && echo mine >~/.local/share/isolate/mine'
  systemctl stop isolated.socket
  before=$(belongings)
  succeeds dpkg --purge isolate-clones
  expect_in_output /var/lib/isolate
  expect_in_output 'no dataset of ZFS was destroyed'
  expect_in_output 'group isolate stays'
  [[ $(status_of_package) != installed && -z $(find /etc/systemd /var/lib/systemd/deb-systemd-helper-* -name '*isolate*') ]]
  [[ $(belongings) == "$before" ]] || complain "$(diff <(echo "$before") <(belongings))"
  succeeds dpkg --install "$PACKAGE"
  succeeds in_clone_of_member true
  expect_full_pool_beside_kept 2
  succeeds isolate -q -z own cat /etc/passwd
  succeeds isolatectl ps --kept --json
  kept=$(jq -r '.[0].clone // .[0].id // .[0].lease' <<<"$output")
  zfs list "$PARENT/$kept"
  succeeds isolatectl gc --kept
  refute zfs list "$PARENT/$kept"
  succeeds isolatectl template remove own
}
expect_full_pool_beside_kept() { wait_until 60 pool_is debisl fresh "$1" || complain "$(isolatectl pool list)"; }

@test "a purge without any data leaves nothing" {
  local hidden=$WORK/hidden
  systemctl stop isolated.socket
  mv /var/lib/isolate "$hidden"
  dpkg --purge isolate-clones
  [[ ! -e /var/lib/isolate ]]
  dpkg --install "$PACKAGE"
  [[ $(stat -c %U:%G:%a /var/lib/isolate) == root:root:700 ]]
  systemctl stop isolated.socket
  dpkg --purge isolate-clones
  [[ ! -e /var/lib/isolate ]]
  mv "$hidden" /var/lib/isolate
  succeeds dpkg --install "$PACKAGE"
  succeeds in_clone_of_member true
  expect_full_pool 2
}
