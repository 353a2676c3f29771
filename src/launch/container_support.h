// ContainerSupport: what a run with the engine lxc needs on the host besides the container: control groups, a
// connection to a bridge, a log.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "launch/launcher.h"
#include "launch/lxc_log.h"
#include "limits/container_groups.h"
#include "limits/guest_group.h"
#include "linux/caller.h"
#include "share/share.h"

namespace isolate {

class ContainerSupport {
 public:
  // Checks what the host has. It makes and starts nothing yet.
  // Errors: no such bridge; a log that can't be written.
  static Result<ContainerSupport> prepare(const LxcSettings& settings, const RunPlan& plan, const Caller& caller);
  // Makes the control groups, below the guest's group, and connects the bridge. Errors: those of groups and bridges.
  Result<void> start(const RunPlan& plan, const Caller& caller, int user_namespace, const GuestGroup& guest);
  void hand_to(LauncherFds* fds) const;
  // Call it when the container has ended. A second call does nothing.
  void end();
  // After end(): whether the kernel has killed a process of the container because memory ran short.
  bool is_out_of_memory() const { return is_out_of_memory_; }

 private:
  std::optional<LxcLog> log_;
  std::unique_ptr<Held> bridge_;
  Fd boot_setup_;
  ContainerGroups groups_;
  bool is_out_of_memory_ = false;
};

}  // namespace isolate
