// What is mounted below the root of a run.
#pragma once

#include <string>

namespace isolate {

enum class MountKind {
  tmpfs,        // a directory in memory, with `mode`
  devices,      // /dev: a tmpfs with the usual nodes, pts and shm
  sys,          // the host's /sys
  processors,   // /sys: read-only, of the host's what tells processors and memory nodes
  bind,         // `source` of the host
  resolv_conf,  // the host's /etc/resolv.conf, on whatever is there
  hosts,        // the root's own /etc/hosts with the lines that it lacks, those of the file `source` too
  tun,  // the device that makes tunnels: the host's, or for root one that the guest may open whatever that one's mode
};

struct RootMount {
  MountKind kind = MountKind::tmpfs;
  std::string target;
  std::string source;
  bool read_only = false;
  unsigned mode = 0755;
};

// In words for people, and the name of the step that mounts it.
std::string describe(const RootMount& mount);
const char* step_name(const RootMount& mount);

}  // namespace isolate
