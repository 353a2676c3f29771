#include <sched.h>

#include "engine/engine.h"

namespace isolate {

CapabilitySet chroot_capabilities() { return CapabilitySet::all(); }

EnginePlan plan_chroot(const EngineRequest& request) {
  EnginePlan plan;
  plan.own.namespaces = CLONE_NEWPID | CLONE_NEWUTS;
  plan.own.covered_files = request.covered_files;
  return plan;
}

}  // namespace isolate
