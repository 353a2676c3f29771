// The floor is the least time that a run in a root of its own can take: the kernel's time for the namespaces, the
// mounts and the exec, without any other program. isolate can't be faster than this.
#pragma once

#include <string>

#include "base/result.h"
#include "command.h"

namespace isolate::bench {

struct Floor {
  std::string root;      // a Linux root with /proc, /tmp and /bin/true
  std::string scratch;   // a directory that the caller may write to, for the mount point and the overlay's layers
  bool overlay = false;  // mount a fresh overlay on the root and remove it afterwards; otherwise bind the root
  bool user_namespace = false;  // make a user namespace whose root is the caller; required unless the caller is root
};

// Makes the namespaces, mounts the root, /proc and a tmpfs on /tmp, calls pivot_root, executes /bin/true there and
// waits for its end. Errors: the step that failed.
Result<Sample> run_floor(const Floor& floor);

}  // namespace isolate::bench
