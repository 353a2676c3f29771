// The descendants of a process, and the private memory of each.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <string>
#include <vector>

#include "base/result.h"

namespace isolate::bench {

struct ProcessInfo {
  pid_t pid = 0;
  std::string name;               // the content of /proc/PID/comm
  std::uint64_t private_kib = 0;  // Private_Clean + Private_Dirty + Private_Hugetlb of /proc/PID/smaps_rollup
  // Private_Dirty + Shared_Dirty: what the process has written, which the kernel can't drop and read again.
  std::uint64_t dirty_kib = 0;
};

// Returns the process itself, followed by its descendants. A descendant that ends meanwhile is left out. Errors: `top`
// has ended, or /proc can't be read.
Result<std::vector<ProcessInfo>> process_tree(pid_t top);

}  // namespace isolate::bench
