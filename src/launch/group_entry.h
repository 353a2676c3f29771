// Gets the launcher into the guest's control group.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>

#include "base/result.h"
#include "base/steps.h"
#include "limits/guest_group.h"
#include "linux/process.h"

namespace isolate {

// Forks a child that executes or becomes another program (fork_to_execute.h), if possible inside the group: then it
// clears `entry`. Where that is not possible (a group of the daemon's, or a container's filter that does not allow
// clone3(2)), the child has to call enter_group() with what is left in `entry`.
Result<ChildProcess> fork_in_group(std::uint64_t namespaces, std::optional<GroupEntry>* entry, Steps* steps,
                                   const std::function<int()>& body);

// Moves this process into the group. Call it while the process still has the caller's ids and namespaces, because they
// decide whether the kernel or the daemon allows the move.
Result<void> enter_group(const GroupEntry& entry);

}  // namespace isolate
