# variants: root-bwrap user-bwrap user-lxc: root's guest has nodes of its own, a user's guest those of the host
# other variants: root-lxc user-native
# --gpu: the graphics devices that the caller may open, and what drivers read about them. The nodes are fakes in a private
# mount namespace: they open /dev/null and /dev/zero, and only show which ones are bound.

load helpers

# Makes a /dev with device nodes, and a /sys that describes one PCI card.
with_cards='
  dev=$SCRATCH/dev
  mkdir -p $dev
  mount -t tmpfs -o mode=755 none $dev
  mkdir $dev/dri $dev/pts $dev/shm
  for node in null zero full random urandom tty ptmx; do cp -a /dev/$node $dev/; done
  mknod $dev/dri/renderD128 c 1 3; mknod $dev/dri/card0 c 1 5; mknod $dev/dri/card1 c 1 7; : >$dev/dri/by-path
  chown $CALLER_UID $dev/dri/*; chmod 0600 $dev/dri/*; chown 4242 $dev/dri/card1; chmod 0600 $dev/dri/card1
  mount --rbind /dev/pts $dev/pts
  mount --rbind $dev /dev
  devices=/sys/devices/virtual
  mount -t tmpfs none $devices
  mkdir -p $devices/0000:00:02.0/drm/renderD128 $devices/0000:00:02.0/drm/card0
  echo 0x8086 >$devices/0000:00:02.0/vendor
  ln -s ../../../0000:00:02.0 $devices/0000:00:02.0/drm/renderD128/device
  ln -s ../../../0000:00:02.0 $devices/0000:00:02.0/drm/card0/device
  mount -t tmpfs none /sys/dev/char
  ln -s ../../devices/virtual/0000:00:02.0/drm/renderD128 /sys/dev/char/1:3
  ln -s ../../devices/virtual/0000:00:02.0/drm/card0 /sys/dev/char/1:5
  mount -t tmpfs none /sys/class
  mkdir /sys/class/drm
  ln -s ../../devices/virtual/0000:00:02.0/drm/renderD128 /sys/class/drm/renderD128
'
on_cards() {
  export SCRATCH CALLER_UID CALLER_GID
  in_private_mounts "$with_cards${MORE-}" "$ISOLATE" --store "$STORE" ${QUIET--q} "$@"
}

@test "the guest gets the nodes that the caller may open, and can open them" {
  [[ $IDENTITY == user ]] || return 0 # root may open all
  succeeds on_cards -z debian --gpu sh -c 'ls /dev/dri; : >/dev/dri/renderD128; head -c 1 /dev/dri/card0 | wc -c'
  expect_output $'card0\nrenderD128\n1'
}

@test "root's guest can open each node" {
  [[ $IDENTITY == root ]] || return 0
  succeeds on_cards -z debian --gpu sh -c 'ls /dev/dri; : >/dev/dri/renderD128; head -c 1 /dev/dri/card0 | wc -c'
  expect_output $'card0\ncard1\nrenderD128\n1'
}

@test "the nodes work with the chroot engine, -t and --home, too" {
  local open='ls /dev/dri | head -n 1; : >/dev/dri/renderD128'
  succeeds on_cards -e chroot -z debian --gpu sh -c "$open"
  expect_output card0
  succeeds on_cards -t "$TREE" --gpu sh -c "$open"
  expect_output card0
  [[ ! -e $TREE/dev/dri ]]
  succeeds on_cards -z debian --home --gpu sh -c "$open"
  expect_output card0
}

@test "a guest keeps the group that gives access to a node" {
  [[ $IDENTITY == user ]] || return 0
  # shellcheck disable=SC2034 # in_private_mounts uses it
  local CALLER=(env -i PATH="$PATH" HOME="$CALLER_HOME" setpriv "--reuid=$CALLER_UID" "--regid=$CALLER_GID" --groups 4343 --)
  local MORE='chown 0:4343 /dev/dri/*; chmod 0660 /dev/dri/*; chown 0:0 /dev/dri/card1;'
  succeeds on_cards -z debian --gpu sh -c 'ls /dev/dri; : >/dev/dri/renderD128'
  expect_output $'card0\nrenderD128'
  run --separate-stderr on_cards -z debian --groups=drop --gpu sh -c ': >/dev/dri/renderD128'
  [[ $status != 0 ]]
  expect_in_errors 'supplementary group'
}

@test "/sys has what drivers read about the card, read-only, and nothing about other devices" {
  succeeds on_cards -z debian --gpu sh -c 'ls /sys/dev/char; cat /sys/dev/char/1:3/device/vendor
    ls -d /sys/devices/virtual/* /sys/class/drm/renderD128/device/drm; touch /sys/x 2>&1
    touch /sys/devices/virtual/0000:00:02.0/x 2>&1 || true'
  expect_in_output $'1:3\n1:5\n0x8086\n/sys/class/drm/renderD128/device/drm\n/sys/devices/virtual/0000:00:02.0'
  [[ $(grep -c 'Read-only file system' <<<"$output") == 2 ]]
}

@test "without a device, or without access to it, the run fails" {
  local MORE='rm -r /dev/dri;'
  isolate_refuses 'no graphics device' -- on_cards -z debian --gpu true
  [[ $IDENTITY == user ]] || return 0
  MORE='chown 4242 /dev/dri/*;'
  isolate_refuses 'may not open /dev/dri/card0' 'groups video and render' -- on_cards -z debian --gpu true
}

# A driver of NVIDIA's with its library, in a CDI file as nvidia-ctk writes it.
with_nvidia='
  mknod /dev/nvidia0 c 1 3; mknod /dev/nvidiactl c 1 3; mknod /dev/nvidia-uvm c 1 3; chmod 0666 /dev/nvidia*
  mount -t tmpfs none /etc/cdi 2>/dev/null || { mkdir /etc/cdi; mount -t tmpfs none /etc/cdi; }
  cp $SCRATCH/cdi.$FORM /etc/cdi/
'
make_cdi() {
  echo 'int answer(void) { return 42; }' >"$SCRATCH/lib.c"
  gcc -shared -fPIC -Wl,-soname,libanswer.so.1 -o "$SCRATCH/libanswer.so.1.2.3" "$SCRATCH/lib.c"
  cat >"$SCRATCH/cdi.yaml" <<YAML
cdiVersion: "0.5.0"
kind: nvidia.com/gpu
devices:
- name: all
  containerEdits:
    deviceNodes:
    - path: /dev/nvidia0
containerEdits:
  env: [NVIDIA_VISIBLE_DEVICES=void]
  deviceNodes:
  - path: /dev/nvidiactl
  - path: /dev/nvidia-uvm
  mounts:
  - hostPath: $SCRATCH/libanswer.so.1.2.3
    containerPath: /usr/lib/nvidia/libanswer.so.1.2.3
    options: [ro, nosuid, nodev, bind]
  hooks:
  - hookName: createContainer
    path: $SCRATCH/hook
    args: [nvidia-cdi-hook, create-symlinks, --link, "libanswer.so.1::/usr/lib/nvidia/libanswer.so"]
  - hookName: createContainer
    path: $SCRATCH/hook
    args: [nvidia-cdi-hook, update-ldcache, --folder, /usr/lib/nvidia]
YAML
  printf '#!/bin/sh\ntouch %q\n' "$SCRATCH/hook-ran" >"$SCRATCH/hook"
  chmod 0755 "$SCRATCH/hook"
}

@test "NVIDIA's nodes and libraries come from a CDI file, whose hooks are never executed" {
  local FORM=yaml MORE=$with_nvidia
  export FORM
  make_cdi
  succeeds on_cards -z debian --gpu sh -c 'ls /dev | grep nvidia; echo $NVIDIA_VISIBLE_DEVICES $LD_LIBRARY_PATH
    cd /usr/lib/nvidia; for l in libanswer*; do echo "$l $(readlink $l)"; done
    grep libanswer /proc/self/mountinfo | cut -d " " -f 6 | grep -o "^ro"'
  expect_output "nvidia-uvm
nvidia0
nvidiactl
void /usr/lib/nvidia
libanswer.so libanswer.so.1
libanswer.so.1 libanswer.so.1.2.3
libanswer.so.1.2.3 
ro"
  [[ ! -e $SCRATCH/hook-ran ]]
}

@test "isolate warns about a hook that it does not know, and refuses a malformed file" {
  local FORM=json MORE=$with_nvidia
  export FORM
  echo '{"kind": "nvidia.com/gpu", "containerEdits": {"hooks": [{"args": ["x", "chmod", "/a"]}]}}' >"$SCRATCH/cdi.json"
  QUIET='' succeeds on_cards -z debian --gpu true
  expect_in_errors "does not know the hook 'chmod /a'"
  expect_in_errors 'no file in /etc/cdi names NVIDIA'
  echo '{"kind": "nvidia.com/gpu", "containerEdits": {"mounts": [{"hostPath": "x"}]}}' >"$SCRATCH/cdi.json"
  isolate_refuses /etc/cdi/cdi.json 'absolute path' -- on_cards -z debian --gpu true
}

@test "--dry-run names each device, file and link" {
  succeeds on_cards -z debian --dry-run --gpu true
  expect_in_output 'bind /dev/dri/renderD128 on /dev/dri/renderD128'
  expect_in_output 'link /sys/dev/char/1:3 to ../../devices/virtual/0000:00:02.0/drm/renderD128'
}
