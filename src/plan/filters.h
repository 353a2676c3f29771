// The seccomp filters of a run, built in or compiled once.
#pragma once

#include <string>
#include <vector>

#include "request/request.h"
#include "seccomp/profile.h"

namespace isolate {

// The request's choice. If it makes none: the engine's default, or no filter if DISABLE_SECCOMP_WRAPPER is set.
SeccompChoice seccomp_choice(const RunRequest& request);

// The filters in the order in which they are applied. `cache` is the directory of compiled filters; a process that can
// write to it decides what later runs may do. Errors: FILE can't be read, or is not a profile.
Result<std::vector<seccomp::Filter>> plan_filters(const SeccompChoice& choice, const CapabilitySet& capabilities,
                                                  const std::string& cache);

}  // namespace isolate
