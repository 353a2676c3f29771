// RootMount: one mount below the root of a run.
#pragma once

#include <string>

namespace isolate {

struct Share;

enum class MountKind {
  tmpfs,    // a directory in memory, with `mode`
  devices,  // /dev: a tmpfs with the usual nodes, pts and shm
  bind,     // `source` of the host
  share,    // what `share` mounts there
};

struct RootMount {
  MountKind kind = MountKind::tmpfs;
  std::string target;
  std::string source;
  bool read_only = false;
  unsigned mode = 0755;
  const Share* share = nullptr;
  bool keeps_groups = false;  // the guest opens the source itself, and so needs the group that gives the caller access
};

// A description for people, and the name of the step that makes the mount.
std::string describe(const RootMount& mount);
std::string describe_bind(const RootMount& mount);
const char* step_name(const RootMount& mount);

}  // namespace isolate
