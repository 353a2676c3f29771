// Hooks: the caller's own commands before and after a run, with the run's root at $ROOTFS.
#pragma once

#include <string>

#include "plan/plan.h"

namespace isolate {

struct HookNamespaces {
  int user = -1;   // of an ordinary user's run
  int mount = -1;  // of a leased clone
};

// Runs `command` with sh -c as the caller, in a mount namespace of its own in which the clone is mounted below
// `stage_path`; ROOTFS holds that path. Root's hook has the host's ids, and the root's files belong to 0..65535. An
// ordinary user's hook is root of the user namespace, where id 0 is the user. The guest never shares a mount with a
// hook. Errors: the hook's exit status, if it is not 0.
Result<void> run_hook(const char* name, const std::string& command, const RunPlan& plan, const Caller& caller,
                      const HookNamespaces& namespaces, const std::string& stage_path);

}  // namespace isolate
