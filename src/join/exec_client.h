// The client's side of a further command (isolatectl exec): finds the isolate of the run, and sends it the request.
#pragma once

#include "join/exec_request.h"
#include "pool/lease_info.h"

namespace isolate {

// Connects to the isolate of a lease, and checks that this process really listens there. Waits up to two seconds for a
// run that is just starting. Errors: the run has ended; it takes no commands, with the reason.
Result<Fd> connect_to_run(const LeaseInfo& info);

// Runs the command with this process's standard descriptors; terminals among them are not handed over but copied.
// Passes signals on, and returns the command's exit status as a shell would. Errors: the command could not run.
Result<int> run_in_guest(Fd connection, ExecRequest request);

}  // namespace isolate
