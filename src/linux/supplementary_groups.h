// Supplementary groups of this process, and what depends on them.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"

namespace isolate {

// Whether it has any beside its primary group.
bool has_supplementary_groups();

// The first of `paths` that this process may read, write or enter by a supplementary group and not without. A child
// that gives the groups up tries it, for which this process must be root of its user namespace. Nothing is found where
// the namespace denies setgroups(2).
Result<std::optional<std::size_t>> first_that_needs_groups(const std::vector<std::string>& paths);

}  // namespace isolate
