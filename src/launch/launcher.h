// The launcher: the child of isolate that makes the namespaces, puts the root together, and becomes the engine or
// makes it as a child of isolate.
#pragma once

#include <array>
#include <memory>
#include <optional>
#include <vector>

#include "base/steps.h"
#include "limits/cgroup.h"
#include "limits/guest_group.h"
#include "linux/process.h"
#include "plan/plan.h"
#include "share/share.h"

namespace isolate {

// The descriptors that the guest gets as 0, 1 and 2.
struct StreamFds {
  std::array<int, 3> numbers = {0, 1, 2};
  std::array<bool, 3> shared_terminals = {};  // which of them are terminals, which the launcher reopens
};

struct LauncherFds {
  int user_namespace = -1;   // -1: the host's
  int mount_namespace = -1;  // of a leased clone; -1: the launcher copies the caller's
  int root = -1;  // a detached mount, if the root is a file system of its own; -1: the plan names the root's path
  // The guest's own user namespace, if the daemon has made it; -1: the launcher makes one if the guest needs it. If a
  // mount namespace comes with it, neither of the two lies below the lease's.
  int nested_user_namespace = -1;
  int nested_mount_namespace = -1;
  int init_program = -1;
  int engine_program = -1;  // isolate-lxc; -1: the plan names the engine's program by its path
  int control = -1;         // the guest's end of the control socket
  int setup = -1;           // the setup of isolate-init (init_setup.h)
  int boot_setup = -1;      // the setup of the isolate-init that becomes a system's init; -1: no system is booted
  int bridge = -1;          // the socket on which the engine asks for a connection to a bridge
  int log = -1;             // the file to which the engine writes its log
  StreamFds streams;
  int report = -1;                       // the launcher writes a packed error here; a successful start closes it
  bool last_in_mount_namespace = false;  // nothing else needs the mount namespace, so the launcher does not copy it
  std::optional<GroupEntry> group;       // the guest's control group; the launcher enters it first
  const std::vector<ControlGroup>* container_groups = nullptr;  // a container's control groups, which it enters too
  // Has an entry for each of the plan's mounts: the object that its share keeps during the run, or null.
  const std::vector<std::unique_ptr<Held>>* held = nullptr;
};

// Starts a launcher and waits until the engine exists. Returns the engine, which is the first process of the guest's
// pid namespace. If the launcher has failed, it returns the launcher instead, and the report holds a packed error.
Result<ChildProcess> launch(const RunPlan& plan, const LauncherFds& fds, Steps* steps);

}  // namespace isolate
