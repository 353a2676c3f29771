// The least that a run in a root of its own can cost: what the kernel takes for the namespaces, the mounts and the
// exec, without any program around it. Nothing that isolate does can be faster than this.
#pragma once

#include <string>

#include "base/result.h"
#include "command.h"

namespace isolate::bench {

struct Floor {
  std::string root;      // a Linux root with /proc, /tmp and /bin/true
  std::string scratch;   // a directory that the caller may write to, for the mount point and the overlay's layers
  bool overlay = false;  // a fresh overlay over the root, removed afterwards, instead of a bind of it
  bool user_namespace = false;  // with the caller as its root; needed by anybody but root
};

// Namespaces, root, /proc, a tmpfs on /tmp, pivot_root, exec of /bin/true there, its end.
// Errors: the step that failed.
Result<Sample> run_floor(const Floor& floor);

}  // namespace isolate::bench
