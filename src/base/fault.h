// Fault points: named places at which a build with ISOLATE_FAULT_POINTS fails or dies on request, for tests of what is
// left then. The variable ISOLATE_FAULT names the place: NAME fails there, NAME:kill ends the process by SIGKILL.
#pragma once

#include <optional>

#include "base/result.h"

namespace isolate {

// The error of the fault asked for at this place, if any. Other builds have none.
std::optional<Error> injected_fault(const char* name);

// The same as a step of its own. Errors: the fault.
Result<void> fault_point(const char* name);

}  // namespace isolate
