// For tests of control groups: finds a place where groups of version 2 can be made, even if without controllers.
#pragma once

#include <string>

#include "base/testing.h"
#include "base/text.h"
#include "limits/cgroup.h"
#include "linux/file.h"

namespace isolate::test {

// Returns this process's group of version 2, wherever version 2 is mounted.
inline std::string group_of_version_2() {
  const auto unified = std::string("/sys/fs/cgroup/unified");
  if (!exists(unified)) return must(own_limiting_group());
  for (const auto& line : text::split(must(read_file("/proc/self/cgroup")), '\n')) {
    if (line.starts_with("0::/")) return unified + (line == "0::/" ? "" : line.substr(3));
  }
  throw std::runtime_error("this process is in no control group of version 2");
}

}  // namespace isolate::test
