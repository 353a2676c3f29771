#include "engine/engine.h"

namespace isolate {

CapabilitySet chroot_capabilities() { return CapabilitySet::all(); }

EnginePlan plan_chroot(const EngineRequest& /*request*/) { return {}; }

}  // namespace isolate
