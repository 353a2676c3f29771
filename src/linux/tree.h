// Trees of files that a guest has made: of any depth, with any number of names, and perhaps still growing.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>

#include "base/result.h"

namespace isolate {

// When work on a tree has to stop; without a value it takes as long as it takes.
using Deadline = std::optional<std::chrono::steady_clock::time_point>;
Deadline deadline_in(std::chrono::milliseconds time);
bool has_come(const Deadline& deadline);

// Takes the attributes "immutable" and "append only" (chattr(1)) off the file and the directory that it is in, which
// keep even root from removing it. True if there were some.
bool clear_attributes(int parent, const std::string& name);

// Removes `name` below `directory` and all that is in it, without following links or crossing a mount. Root also
// removes what has the attribute "immutable" or "append only" (chattr(1)). A name that does not exist is no error.
// Depth costs neither descriptors nor stack. Errors: ETIMEDOUT the deadline has come; what is removed by then stays
// removed, and the next call goes on from there. ENOTEMPTY somebody keeps adding files, and there is no deadline.
Result<void> remove_tree(int directory, const std::string& name, Deadline deadline = std::nullopt);

struct TreeUsage {
  std::uint64_t bytes = 0;  // allocated on disk; a file with several links counts once for each
  std::uint64_t files = 0;
  bool is_complete = true;  // false: the deadline has come, and there is more
};
Result<TreeUsage> tree_usage(int directory, const std::string& name, Deadline deadline = std::nullopt);

}  // namespace isolate
