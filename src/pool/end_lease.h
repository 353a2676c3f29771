// Ends a running lease from outside, whatever its processes do.
#pragma once

#include <chrono>

#include "pool/pool.h"

namespace isolate {

// Returns the held lease of this name, or nothing if nobody holds it.
Result<std::optional<LeaseInfo>> find_lease(const Pool& pool, const std::string& clone_id);

struct Patience {
  std::chrono::milliseconds grace{5'000};   // time for isolate to end in an orderly way
  std::chrono::milliseconds limit{10'000};  // time until the lease is revoked
  std::chrono::milliseconds start{500};     // time for an isolate that has just started to become visible
};
// Kills the guest, whereupon isolate restores the terminal, drops the clone, and exits with 137. If isolate has not
// ended after `grace`, it is killed, and the next reap destroys the clone. Stopped processes end, too. If no isolate is
// found, kills the processes of the lease's user that hold the lease, and those in its user namespace. Returns when
// nobody holds the lease any more, or when it is revoked after `limit`: then another user holds the lock, or it lies in
// a socket. Errors: ESRCH the lease has ended already; EPERM.
Result<void> end_lease(const Pool& pool, const LeaseInfo& info, const Patience& patience = {});

}  // namespace isolate
