// A run from its request to its exit status: takes the root, makes the plan, runs the hooks, starts the guest, waits
// for its end, and gives the root back.
#pragma once

#include "linux/caller.h"
#include "pool/lease.h"
#include "request/request.h"

namespace isolate {

// Runs the request's command and returns the exit status of isolate: that of the command, or 128 plus the signal that
// ended it; 125: isolate failed; 126: the command can't be executed; 127: the command was not found. Messages go to
// standard error.
int run(const RunRequest& request);

// The same on a clone that the caller has leased already. The caller keeps the lease.
int run_on_lease(const RunRequest& request, const Lease& lease, OwnerNamespace* owner);

}  // namespace isolate
