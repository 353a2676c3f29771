// What a run with the engine lxc has on the host beside the container: quotas, a connection with a bridge, a log.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "linux/caller.h"
#include "run/bridge.h"
#include "run/container_groups.h"
#include "run/launcher.h"
#include "run/lxc_log.h"

namespace isolate {

class ContainerSupport {
 public:
  // Looks at what the host has, before anything is made or started.
  // Errors: no such bridge; a log that can't be written; a quota that was asked for and is not to be had.
  static Result<ContainerSupport> prepare(const LxcSettings& settings, const RunPlan& plan, const Caller& caller);
  // Makes it.
  Result<void> start(const RunPlan& plan, const Caller& caller, int user_namespace, const std::string& guest_group);
  void hand_to(LauncherFds* fds) const;
  // When the command runs: what it does not have, though nobody asked for that.
  void tell() const;
  // When the container has ended.
  void end() const;

 private:
  std::optional<LxcLog> log_;
  std::optional<BridgeConnector> bridge_;
  LxcQuotas quotas_;
  std::string notice_;
  Fd boot_setup_;
  ContainerGroups groups_;
};

}  // namespace isolate
