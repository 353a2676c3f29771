// Moves all of a tree to other owners.
#pragma once

#include <string>

#include "base/result.h"

namespace isolate {

// Adds `shift` to the owner and group of `name` and of everything in it, links themselves included. What a change of
// owner takes away is put back: set-user-id bits, file capabilities. Users and groups that access lists name move
// along. Errors: EPERM, EINVAL an id can't be given here.
Result<void> shift_owners(int directory, const std::string& name, unsigned shift);

}  // namespace isolate
