// The seccomp filters of a run, built in or compiled once.
#pragma once

#include <string>
#include <vector>

#include "request/request.h"
#include "seccomp/profile.h"

namespace isolate {

// The choice of the request: what the engine takes where nothing else is asked for, and what DISABLE_SECCOMP_WRAPPER
// makes of it.
SeccompChoice seccomp_choice(const RunRequest& request);

// The filters in the order in which they are put on. `cache`: the directory for what has been compiled; whoever can
// write to it decides what later runs may do. Errors: FILE can't be read, or is not a profile.
Result<std::vector<seccomp::Filter>> plan_filters(const SeccompChoice& choice, const CapabilitySet& capabilities,
                                                  const std::string& cache);

}  // namespace isolate
