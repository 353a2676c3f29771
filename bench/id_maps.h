// What newuidmap(1) and newgidmap(1) cost by themselves: an ordinary user's run can't do without them.
#pragma once

#include <cstdint>

#include "base/result.h"
#include "command.h"

namespace isolate::bench {

enum class MapHelpers { newuidmap, newgidmap, both_at_once };

// Starts the helpers on a fresh user namespace, made before the clock runs, and waits for them. Inside, 0 is the caller
// and the ids from 1 on are `count` ids from the given ones on, which must be the caller's in /etc/subuid and
// /etc/subgid.
Result<Sample> run_map_helpers(MapHelpers which, std::uint32_t first_uid, std::uint32_t first_gid, std::uint32_t count);

}  // namespace isolate::bench
