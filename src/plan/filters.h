// The seccomp filters of a run, built in or compiled once.
#pragma once

#include <string>
#include <vector>

#include "request/request.h"
#include "seccomp/profile.h"

namespace isolate {

// Returns the request's choice. If the request has none, it is the engine's default, or no filter if the variable
// DISABLE_SECCOMP_WRAPPER is set.
SeccompChoice seccomp_choice(const RunRequest& request);

// Returns the filters in the order in which they are applied. `cache` is the directory of compiled filters. Nobody but
// its owner may write to it, because its content decides what later runs may do. Errors: FILE can't be read, or is not
// a profile.
Result<std::vector<seccomp::Filter>> plan_filters(const SeccompChoice& choice, const CapabilitySet& capabilities,
                                                  const std::string& cache);

}  // namespace isolate
