// The processes that descend from one, and the memory that is each one's own.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <string>
#include <vector>

#include "base/result.h"

namespace isolate::bench {

struct ProcessInfo {
  pid_t pid = 0;
  std::string name;               // as in /proc/PID/comm
  std::uint64_t private_kib = 0;  // Private_Clean + Private_Dirty + Private_Hugetlb of /proc/PID/smaps_rollup
  // Private_Dirty + Shared_Dirty: what the process has written, which the kernel can't drop and read again.
  std::uint64_t dirty_kib = 0;
};

// The process itself first, then its descendants. One that ends meanwhile is left out. Errors: `top` is gone, or /proc
// can't be read.
Result<std::vector<ProcessInfo>> process_tree(pid_t top);

}  // namespace isolate::bench
