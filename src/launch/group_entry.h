// Moves the launcher to the guest's control group.
#pragma once

#include "base/result.h"
#include "limits/guest_group.h"

namespace isolate {

// Moves this process into the group. Call it while the process still has the caller's ids and namespaces, because they
// decide whether the kernel or the daemon allows the move.
Result<void> enter_group(const GroupEntry& entry);

}  // namespace isolate
