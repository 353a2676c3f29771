// The setup that isolate-init reads at its start, as a sealed file in memory (wire/init_protocol.h).
#pragma once

#include "base/fd.h"
#include "plan/plan.h"

namespace isolate {

// Errors: those of memfd_create(2) and write(2).
Result<Fd> make_init_setup(const RunPlan& plan);
// The same for the isolate-init that becomes the init of the root's own system.
Result<Fd> make_boot_setup(const RunPlan& plan);

}  // namespace isolate
