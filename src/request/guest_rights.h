// The rights of a guest that follow from the request alone, before isolate has acquired the root.
#pragma once

#include <cstdint>

#include "request/request.h"

namespace isolate {

// Capabilities the command gets: the engine's, less those dropped, with those added.
CapabilitySet planned_capabilities(const RunRequest& request);

// Whether the guest may have CAP_SYS_ADMIN: in the user namespace that owns its mounts it could make read-only ones
// writable.
bool locks_mounts(const RunRequest& request);

// The limits of each process: the engine's, and those asked for, which win.
std::vector<ResourceLimit> planned_limits(const RunRequest& request, const HardLimits& most);
// How many processes all of the guest may have together; kUnlimited.
std::uint64_t planned_process_limit(const RunRequest& request, const HardLimits& most);

}  // namespace isolate
