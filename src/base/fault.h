// Fault points: named places where a test can make the program fail or die, to see what it leaves behind. They exist
// only in a build with ISOLATE_FAULT_POINTS. ISOLATE_FAULT=NAME makes the place NAME fail with EIO;
// ISOLATE_FAULT=NAME:kill ends the process there with SIGKILL.
#pragma once

#include <optional>

#include "base/result.h"

namespace isolate {

// Returns the error to fail with at the place `name`, or nothing if ISOLATE_FAULT does not name it.
std::optional<Error> injected_fault(const char* name);

// Fails with injected_fault(name), if there is one. Use it where the place is no step of Steps.
Result<void> fault_point(const char* name);

}  // namespace isolate
