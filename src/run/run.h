// One run from the request to the exit status: lease, namespaces, hooks, engine, waiting, and the lease dropped again.
#pragma once

#include "linux/caller.h"
#include "pool/lease.h"
#include "request/request.h"

namespace isolate {

// The exit status for the shell: the command's, 128 plus a signal, 125 a failure of ours, 126 not executable,
// 127 not found. Messages go to stderr.
int run(const RunRequest& request);

// Runs the request's command on a clone that was leased already; the lease stays the caller's.
// The result is the exit status as above.
int run_on_lease(const RunRequest& request, const Lease& lease, OwnerNamespace* owner);

}  // namespace isolate
