// Subvolumes of btrfs that a guest may have made in its root, and their removal.
#pragma once

#include <string>

#include "linux/tree.h"

namespace isolate {

// Deletes the subvolume `name` below `parent` with all subvolumes in it, however deep, also those that are read-only or
// lie in directories that are immutable. For root. Errors: ETIMEDOUT the deadline has come, and the next call goes on;
// ENOTEMPTY somebody keeps making subvolumes in it.
Result<void> delete_subvolume(int parent, const std::string& name, Deadline deadline = std::nullopt);

}  // namespace isolate
