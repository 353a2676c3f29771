// Deletes btrfs subvolumes, with all subvolumes that a guest may have made inside.
#pragma once

#include <string>

#include "linux/tree.h"

namespace isolate {

// Deletes the subvolume `name` in `parent` with all subvolumes inside, at any depth, including those that are read-only
// or in immutable directories. Only for root. Errors: ETIMEDOUT the deadline has passed, and the next call continues;
// ENOTEMPTY a process keeps making subvolumes inside.
Result<void> delete_subvolume(int parent, const std::string& name, Deadline deadline = std::nullopt);

}  // namespace isolate
