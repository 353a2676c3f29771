#include "share/root_mount.h"

#include <fmt/format.h>

#include "base/text.h"

namespace isolate {

std::string describe(const RootMount& mount) {
  switch (mount.kind) {
    case MountKind::tmpfs:
      return fmt::format("mount tmpfs on {} (mode {:04o})", mount.target, mount.mode);
    case MountKind::devices:
      return fmt::format("mount devices on {} (null zero full random urandom tty, pts, shm)", mount.target);
    case MountKind::hosts:
      return fmt::format("mount hosts on {} (localhost and the guest's name){}", mount.target,
                         mount.read_only ? ", read-only" : "");
    case MountKind::processors:
      return fmt::format("mount processors on {} (the host's devices/system/cpu and node), read-only", mount.target);
    case MountKind::sys:
    case MountKind::bind:
    case MountKind::resolv_conf:
    case MountKind::tun:
      break;
  }
  return fmt::format("bind {} on {}{}", text::printable(mount.source), text::printable(mount.target),
                     mount.read_only ? ", read-only" : "");
}

const char* step_name(const RootMount& mount) {
  switch (mount.kind) {
    case MountKind::tmpfs:
      return "tmpfs";
    case MountKind::devices:
      return "devices";
    case MountKind::sys:
    case MountKind::processors:
      return "sys";
    case MountKind::bind:
      return "bind";
    case MountKind::resolv_conf:
      return "resolv-conf";
    case MountKind::hosts:
      return "hosts";
    case MountKind::tun:
      return "tun";
  }
  return "mount";
}

}  // namespace isolate
