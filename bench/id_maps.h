// Measures newuidmap(1) and newgidmap(1) alone. An ordinary user's run needs them to get a range of ids.
#pragma once

#include <cstdint>

#include "base/result.h"
#include "command.h"

namespace isolate::bench {

enum class MapHelpers { newuidmap, newgidmap, both_at_once };

// Makes a user namespace, then starts the helpers on it and waits for them; only the helpers are timed. The map is that
// of an isolate run: id 0 is the caller, and the ids from 1 on are the `count` ids from first_uid and first_gid on,
// which /etc/subuid and /etc/subgid must assign to the caller.
Result<Sample> run_map_helpers(MapHelpers which, std::uint32_t first_uid, std::uint32_t first_gid, std::uint32_t count);

}  // namespace isolate::bench
