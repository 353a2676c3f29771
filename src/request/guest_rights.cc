#include "request/guest_rights.h"

#include <linux/capability.h>
#include <sys/resource.h>

#include <cstdint>

#include "engine/engine.h"

namespace isolate {
namespace {

CapabilitySet engine_capabilities(EngineKind engine) {
  switch (engine) {
    case EngineKind::bwrap:
      return bwrap_capabilities();
    case EngineKind::lxc:
      return lxc_capabilities();
    case EngineKind::native:
      return native_capabilities();
    case EngineKind::chroot:
      break;
  }
  return chroot_capabilities();
}

}  // namespace

CapabilitySet planned_capabilities(const RunRequest& request) {
  auto capabilities = engine_capabilities(request.engine);
  capabilities.drop(request.dropped_capabilities);
  capabilities.add(request.added_capabilities);
  return capabilities;
}

bool locks_mounts(const RunRequest& request) {
  if (request.engine == EngineKind::chroot) return false;
  return planned_capabilities(request).has(CAP_SYS_ADMIN) ||
         (request.engine == EngineKind::lxc && lxc_system_capabilities().has(CAP_SYS_ADMIN));
}

std::vector<ResourceLimit> planned_limits(const RunRequest& request, const HardLimits& most) {
  const bool isolates = request.engine != EngineKind::chroot;
  return with_limits(isolates ? default_limits(most) : std::vector<ResourceLimit>{}, request.limits);
}

std::uint64_t planned_process_limit(const RunRequest& request, const HardLimits& most) {
  return limit_of(planned_limits(request, most), RLIMIT_NPROC);
}

}  // namespace isolate
