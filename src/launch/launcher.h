// The launcher: the child of isolate that makes the namespaces, puts the root together, and becomes the engine, or
// makes it a child of isolate's.
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
  std::array<bool, 3> shared_terminals = {};  // these are opened anew for the guest
};

struct LauncherFds {
  int user_namespace = -1;   // -1: the host's
  int mount_namespace = -1;  // of a leased clone; -1: a copy of the caller's is made
  int root = -1;             // the root, a detached mount, where it is a file system; -1: the plan tells
  // The guest's own user namespace, which the daemon has made; -1: if the guest needs one, the launcher makes it. With
  // the mount namespace that belongs to it, neither lies below the lease's.
  int nested_user_namespace = -1;
  int nested_mount_namespace = -1;
  int init_program = -1;
  int engine_program = -1;  // one of isolate's own; -1: the plan names another by its path
  int control = -1;         // the guest's end of the control socket
  int setup = -1;           // what isolate-init reads at its start
  int boot_setup = -1;      // and what it reads to become the init of a system; -1: it never does
  int bridge = -1;          // where the engine asks for a connection with a bridge
  int log = -1;             // what it writes its log to
  StreamFds streams;
  int report = -1;                       // where an error goes, packed; closed by a successful start
  bool last_in_mount_namespace = false;  // nobody needs it after this run as it is: no copy is made of it
  std::optional<GroupEntry> group;       // the guest's control group, which the launcher enters first of all
  const std::vector<ControlGroup>* groups = nullptr;  // which the guest is to be in
};

// Makes a launcher, and gives back the engine, the first process of a pid namespace, or else the launcher that has
// failed: then there is an error in the report, packed.
Result<ChildProcess> launch(const RunPlan& plan, const LauncherFds& fds, Steps* steps);

}  // namespace isolate
