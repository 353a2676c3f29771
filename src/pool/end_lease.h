// Ends a running lease from outside, for sure.
#pragma once

#include <chrono>

#include "pool/pool.h"

namespace isolate {

// Nothing where nobody holds a lease of this name.
Result<std::optional<LeaseInfo>> find_lease(const Pool& pool, const std::string& clone_id);

struct Patience {
  std::chrono::milliseconds grace{5'000};   // for isolate to end in order
  std::chrono::milliseconds limit{10'000};  // in all
  std::chrono::milliseconds start{500};     // for an isolate that has just begun to show up
};
// Kills the guest, upon which isolate ends in order: it gives the terminal back, drops the clone, and ends with 137.
// One that has not ended after the grace is killed as well; then the clone is left to the next reap. Stopped ones
// end, too. Where no isolate is found, what else of the lease's user holds the lease is killed, and what is in its user
// namespace. Returns when nobody holds the lease any more, or, after the limit, when it is revoked: a lock that another
// user holds, or that lies in a socket, does not keep it. Errors: ESRCH it has ended already; EPERM.
Result<void> end_lease(const Pool& pool, const LeaseInfo& info, const Patience& patience = {});

}  // namespace isolate
