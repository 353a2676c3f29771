// Supplementary groups of this process, and the access that depends on them.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"

namespace isolate {

// Says whether this process has a supplementary group other than its primary group.
bool has_supplementary_groups();

// Returns the index of the first of `paths` that this process may read, write or enter only thanks to a supplementary
// group. A child drops the groups and compares its access, so this process must be root of its user namespace. Finds
// nothing if the namespace denies setgroups(2).
Result<std::optional<std::size_t>> first_path_needing_groups(const std::vector<std::string>& paths);

}  // namespace isolate
