// Removes and measures file trees that a guest has made. They may have any depth and any number of entries, and may
// still grow.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>

#include "base/result.h"

namespace isolate {

// The time when work on a tree stops. Without a value it has no limit.
using Deadline = std::optional<std::chrono::steady_clock::time_point>;
Deadline deadline_in(std::chrono::milliseconds time);
bool has_passed(const Deadline& deadline);

// Clears the attributes "immutable" and "append only" (chattr(1)) of the file and of its directory. They keep even root
// from removing the file. Returns true if any was set.
bool clear_attributes(int parent, const std::string& name);

// Removes `name` in `directory` and everything below it, without following links or crossing a mount. As root it also
// removes files with the attribute "immutable" or "append only" (chattr(1)). A name that does not exist is no error.
// The depth of the tree costs neither descriptors nor stack. Errors: ETIMEDOUT the deadline has passed; the next call
// continues where this one stopped. ENOTEMPTY somebody keeps adding files.
Result<void> remove_tree(int directory, const std::string& name, Deadline deadline = std::nullopt);

struct TreeUsage {
  std::uint64_t bytes = 0;  // allocated on disk; a file with several links counts once for each
  std::uint64_t files = 0;
  bool is_complete = true;  // false: the deadline has passed before all was counted
};
// Adds up the tree without following links. It may be in use meanwhile.
Result<TreeUsage> tree_usage(int directory, const std::string& name, Deadline deadline = std::nullopt);

}  // namespace isolate
