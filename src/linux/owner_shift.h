// Changes the owners of all files of a tree.
#pragma once

#include <string>

#include "base/result.h"

namespace isolate {

// Adds `shift` to the owner and group of `name` and of everything below it; of symbolic links themselves, not of their
// targets. A change of owner clears set-user-id bits and file capabilities, so they are restored. Named users and
// groups in ACLs shift, too. Errors: EPERM or EINVAL if an id can't be assigned in this user namespace.
Result<void> shift_owners(int directory, const std::string& name, unsigned shift);

}  // namespace isolate
