// The launcher: the child of isolate that makes the namespaces, puts the root together, and becomes the engine or
// makes it as a child of isolate.
#pragma once

#include <array>
#include <optional>
#include <vector>

#include "base/steps.h"
#include "limits/cgroup.h"
#include "limits/guest_group.h"
#include "linux/process.h"
#include "plan/plan.h"

namespace isolate {

// What the guest gets as 0, 1 and 2.
struct StreamFds {
  std::array<int, 3> numbers = {0, 1, 2};
  std::array<bool, 3> shared_terminals = {};  // terminals that the launcher opens again for the guest
};

struct LauncherFds {
  int user_namespace = -1;   // -1: the host's
  int mount_namespace = -1;  // of a leased clone; -1: a copy of the caller's is made
  int root = -1;  // a detached mount of the root, if the root is a file system of its own; -1: the plan names it
  // The guest's own user namespace, if the daemon has made it; -1: the launcher makes one if the guest needs it. If a
  // mount namespace comes with it, neither of the two lies below the lease's.
  int nested_user_namespace = -1;
  int nested_mount_namespace = -1;
  int init_program = -1;
  int engine_program = -1;  // one of isolate's own; -1: the plan names another by its path
  int control = -1;         // the guest's end of the control socket
  int setup = -1;           // what isolate-init reads at its start
  int boot_setup = -1;      // what an isolate-init reads that becomes the init of a system; -1: none is booted
  int bridge = -1;          // where the engine asks for a connection with a bridge
  int log = -1;             // what it writes its log to
  StreamFds streams;
  int report = -1;                       // the launcher writes a packed error here; a successful start closes it
  bool last_in_mount_namespace = false;  // nothing else needs the mount namespace, so the launcher does not copy it
  std::optional<GroupEntry> group;       // the guest's control group, which the launcher enters first of all
  const std::vector<ControlGroup>* groups = nullptr;  // control groups of a container, which it enters as well
};

// Makes a launcher. Returns the engine, the first process of the guest's pid namespace; or the launcher itself if it
// has failed, and then the report holds a packed error.
Result<ChildProcess> launch(const RunPlan& plan, const LauncherFds& fds, Steps* steps);

}  // namespace isolate
