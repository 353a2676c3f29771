#include <sched.h>

#include "engine/engine.h"

namespace isolate {

CapabilitySet native_capabilities() { return CapabilitySet::docker_default(); }

// isolate-init, which the guest's first process becomes, limits the capabilities and installs the filters.
EnginePlan plan_native(const EngineRequest& request) {
  EnginePlan plan;
  plan.no_new_privileges = true;
  plan.own_network = !request.share_network;
  plan.own.namespaces = CLONE_NEWPID | CLONE_NEWIPC | CLONE_NEWUTS | CLONE_NEWCGROUP;
  plan.own.host_name = request.host_name;
  plan.own.covered_files = request.covered_files;
  plan.own.no_setuid = true;
  plan.own.closes_settings = true;
  return plan;
}

}  // namespace isolate
