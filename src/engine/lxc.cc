#include <unistd.h>

#include "engine/engine.h"

namespace isolate {

// The package of isolate only recommends liblxc, with which isolate-lxc is linked. The directory comes with liblxc.
Result<void> check_lxc() {
  if (::access(ISOLATE_LXC_ROOTFS, F_OK) == 0) return {};
  return fail(
      "LXC is not installed; install it (Debian: apt-get install liblxc-common), or use another engine with -e");
}

CapabilitySet lxc_capabilities() { return CapabilitySet::docker_default(); }

CapabilitySet lxc_system_capabilities() {
  // systemd needs two more capabilities than a command: SYS_ADMIN to mount and to make namespaces for its services, and
  // NET_ADMIN to set up their networks. It must not get SYS_PTRACE, because with that capability the init could take
  // control of the isolate-init that is attached to the system.
  auto capabilities = CapabilitySet::docker_default();
  if (const auto added = CapabilitySet::parse("SYS_ADMIN,NET_ADMIN")) capabilities.add(*added);
  return capabilities;
}

EnginePlan plan_lxc(const EngineRequest& request) {
  EnginePlan plan;
  plan.no_new_privileges = true;
  plan.looks_into_proc = true;
  plan.own_program = "isolate-lxc";
  plan.bridge = request.bridge;
  plan.ends_in_order = request.lasting;
  const char* network = !request.share_network ? "none" : request.bridge.empty() ? "host" : "bridge";
  plan.program = {plan.own_program, request.host_name, request.root, network};
  if (request.lasting) plan.program.emplace_back("shutdown");
  if (request.keeps_log) plan.program.emplace_back("log");
  plan.program.emplace_back("--");
  plan.program.insert(plan.program.end(), request.init.begin(), request.init.end());
  return plan;
}

}  // namespace isolate
