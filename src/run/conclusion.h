// Turns the outcome of a command into events, messages, and the exit status of isolate.
#pragma once

#include "base/result.h"
#include "limits/guest_group.h"
#include "plan/plan.h"
#include "supervise/outcome.h"
#include "supervise/status_stream.h"

namespace isolate {

// Reports the end of the command and returns the exit status of the whole run. `written` says whether the guest's
// output reached the caller; it decides the status only if the command itself succeeded. Errors: the command's
// directory, limits or user could not be set up.
Result<int> conclude(const RunOutcome& outcome, Result<int> written, const RunPlan& plan, const GuestGroup& group,
                     const StatusStream& status);

// Merges a failure after the command into the command's outcome. isolate reports the failure, which decides the exit
// status only if the command succeeded.
Result<int> combine(Result<int> outcome, Result<void> after);

}  // namespace isolate
