// The side of who wants a further command in a guest: finds the isolate of the run, and sends the request.
#pragma once

#include "join/exec_request.h"
#include "pool/lease_info.h"

namespace isolate {

// A connection to the isolate of a lease, which was checked to be the lease's user's. Waits a moment for a run that is
// just starting. Errors: it has ended; it takes no commands, with the reason.
Result<Fd> connect_to_run(const LeaseInfo& info);

// Runs the command with this process's standard descriptors, but no terminal of its own but as copies, and gives back
// its exit status as a shell would. Signals are passed on. Errors: what kept the command from running.
Result<int> run_in_guest(Fd connection, ExecRequest request);

}  // namespace isolate
