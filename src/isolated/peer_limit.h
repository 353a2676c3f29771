// How many processes a connected member may have.
#pragma once

#include <cstdint>

#include "base/result.h"
#include "isolated/peer.h"

namespace isolate {

// The most to which the peer's process may raise its RLIMIT_NPROC; UINT64_MAX: no limit. Errors: ESRCH if that process
// has ended, since its pid may be another process's.
Result<std::uint64_t> process_limit_of(const Peer& peer);

}  // namespace isolate
