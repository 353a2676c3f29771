// The control groups of a container, as the lxc engine has it.
#pragma once

#include <string>
#include <vector>

#include "linux/cgroup.h"
#include "run/lxc_settings.h"
#include "run/plan.h"

namespace isolate {

class ContainerGroups {
 public:
  ContainerGroups() = default;
  // One that an init of the container's own may divide, below `guest_group`, or if that is empty this process's own; none, where the caller can't make
  // groups there. For root as well groups of version 1's controllers that hold the quotas, but for those that are 0.
  // What killed runs have left goes.
  // Errors: a group can't be made, or does not take a quota.
  static Result<ContainerGroups> make(const RunPlan& plan, bool caller_is_root, int user_namespace,
                                      const LxcQuotas& quotas, const std::string& guest_group);
  ContainerGroups(ContainerGroups&&) = default;
  ContainerGroups& operator=(ContainerGroups&&) = default;
  // Removes them, once nothing runs there any more.
  void remove() const;

  // For the launcher to enter.
  const std::vector<ControlGroup>& groups() const { return groups_; }

 private:
  std::vector<ControlGroup> groups_;
  int user_namespace_ = -1;  // -1: root's own rights do
};

// Whether groups with the quotas can be made here, in version 1 of control groups.
bool has_quota_controllers();

}  // namespace isolate
