// Hooks: the caller's own commands before and after a run, with the run's root at $ROOTFS.
#pragma once

#include <string>

#include "plan/plan.h"

namespace isolate {

struct HookNamespaces {
  int user = -1;   // of an ordinary user
  int mount = -1;  // of a leased clone
};

// Runs `command` with sh -c as the caller, in a mount namespace where the clone is mounted below `stage_path`, and
// ROOTFS names it. Root keeps the host's ids, and files of the root belong on disk to 0..65535; an ordinary user is
// root of the user namespace, where his own id is 0. The guest never shares a mount with a hook. Errors: the hook's
// exit status, if it is not 0.
Result<void> run_hook(const char* name, const std::string& command, const RunPlan& plan, const Caller& caller,
                      const HookNamespaces& namespaces, const std::string& stage_path);

}  // namespace isolate
