#include <array>

#include "base/text.h"
#include "engine/engine.h"
#include "linux/file.h"
#include "linux/machine_settings.h"

namespace isolate {

// PATH is not searched, so that the caller's environment can't choose which program confines the guest.
Result<std::string> find_bwrap() {
  auto path = first_executable({"/usr/bin/bwrap", "/usr/local/bin/bwrap", "/bin/bwrap"});
  if (!path.empty()) return path;
  return fail("bwrap is not installed; install it (Debian: apt-get install bubblewrap), or use another engine with -e");
}

CapabilitySet bwrap_capabilities() { return CapabilitySet::docker_default(); }

EnginePlan plan_bwrap(const EngineRequest& request) {
  EnginePlan plan;
  plan.no_new_privileges = true;
  plan.own_network = !request.share_network;
  plan.program = {request.program,    "--die-with-parent",
                  "--as-pid-1",       "--unshare-pid",
                  "--unshare-ipc",    "--unshare-uts",
                  "--unshare-cgroup", "--hostname",
                  request.host_name,  "--dev-bind",
                  request.root,       "/",
                  "--proc",           "/proc",
                  "--chdir",          "/"};
  for (const auto& file : request.covered_files)
    plan.program.insert(plan.program.end(), {"--dev-bind", "/dev/null", file});
  // bwrap itself closes only a part of them, and not /proc/sys.
  if (request.shares_settings) {
    for (const auto& name : machine_settings())
      plan.program.insert(plan.program.end(), {"--ro-bind-try", "/proc/" + name, "/proc/" + name});
  }
  plan.program.insert(plan.program.end(), {"--cap-drop", "ALL"});
  // bwrap leaves the bounding set as it is. isolate-init removes from it all capabilities that the command is not to
  // have, for which it needs CAP_SETPCAP, and then gives that one up as well.
  auto capabilities = request.capabilities;
  if (const auto needed = CapabilitySet::parse("SETPCAP")) capabilities.add(*needed);
  for (const auto& name : capabilities.names()) plan.program.insert(plan.program.end(), {"--cap-add", name});
  plan.program.emplace_back("--");
  plan.program.insert(plan.program.end(), request.init.begin(), request.init.end());
  return plan;
}

}  // namespace isolate
