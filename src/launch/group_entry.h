// How the launcher enters the guest's control group.
#pragma once

#include "base/result.h"
#include "limits/guest_group.h"

namespace isolate {

// Moves the calling process into the group. It is still the caller then, in the caller's own namespaces.
Result<void> enter_group(const GroupEntry& entry);

}  // namespace isolate
