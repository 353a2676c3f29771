#include "share/root_mount.h"

#include <fmt/format.h>

#include "base/text.h"
#include "share/share.h"

namespace isolate {

std::string describe_bind(const RootMount& mount) {
  return fmt::format("bind {} on {}{}", text::printable(mount.source), text::printable(mount.target),
                     mount.read_only ? ", read-only" : "");
}

std::string describe(const RootMount& mount) {
  switch (mount.kind) {
    case MountKind::tmpfs:
      return fmt::format("mount tmpfs on {} (mode {:04o})", mount.target, mount.mode);
    case MountKind::devices:
      return fmt::format("mount devices on {} (null zero full random urandom tty, pts, shm)", mount.target);
    case MountKind::share:
      return mount.share->describe(mount);
    case MountKind::bind:
      break;
  }
  return describe_bind(mount);
}

const char* step_name(const RootMount& mount) {
  switch (mount.kind) {
    case MountKind::tmpfs:
      return "tmpfs";
    case MountKind::devices:
      return "devices";
    case MountKind::share:
      return mount.share->name;
    case MountKind::bind:
      break;
  }
  return "bind";
}

}  // namespace isolate
