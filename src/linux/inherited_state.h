// The state that a process inherits from its parent: ids, limits, namespaces and the like. Its environment, directory,
// umask, signals and descriptors are not part of it.
#pragma once

#include <string>

namespace isolate {

// Describes the calling process in lines that are equal for two processes only if these have the same users, groups,
// capabilities, resource limits, priorities, processors, control groups, namespaces, root and security label. What
// can't be read counts as a state of its own.
std::string inherited_state();

}  // namespace isolate
