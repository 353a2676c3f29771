// An engine confines: it gets a finished root and starts the command in it. What it will do is plain data.
#pragma once

#include <string>
#include <vector>

#include "base/result.h"
#include "linux/capability.h"

namespace isolate {

// What every engine is told.
struct EngineRequest {
  std::string root;  // path of the finished root, as the launcher's mount namespace shows it
  std::string host_name;
  bool share_network = false;
  CapabilitySet capabilities;
  std::vector<std::string>
      init;  // the command line of isolate-init, up to and with the command; it enters the working directory
};

struct EnginePlan {
  // The program that confines, with all its arguments. Empty: the launcher enters the root itself, in a new pid
  // namespace.
  std::vector<std::string> program;
  bool mounts_proc_itself = false;  // otherwise the launcher mounts /proc in the new pid namespace
  bool no_new_privileges = false;   // set by the launcher before the engine starts
};

// bubblewrap: every namespace but the user's, which the launcher has made. Errors: bwrap is not installed.
Result<EnginePlan> plan_bwrap(const EngineRequest& request);
// The plain root in a mount and a pid namespace: for maintaining templates, not a boundary.
EnginePlan plan_chroot(const EngineRequest& request);

// What the engine gives a command where nothing else is asked for.
CapabilitySet bwrap_capabilities();
CapabilitySet chroot_capabilities();

}  // namespace isolate
