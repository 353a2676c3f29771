// The control groups of a container, as the lxc engine has it.
#pragma once

#include <string>
#include <vector>

#include "linux/cgroup.h"
#include "linux/limit_group.h"
#include "run/plan.h"

namespace isolate {

class ContainerGroups {
 public:
  ContainerGroups() = default;
  // One that an init of the container's own may divide, below the one named, or if that is empty this process's own;
  // none, where the caller can't make groups there. For root as well groups of version 1's controllers that have the
  // limits. What killed runs have left goes. Errors: a group can't be made, or does not take a limit.
  static Result<ContainerGroups> make(const RunPlan& plan, bool caller_is_root, int user_namespace,
                                      const std::string& parent_or_own, const GroupLimits& of_version_1);
  ContainerGroups(ContainerGroups&&) = default;
  ContainerGroups& operator=(ContainerGroups&&) = default;

  // Once nothing runs there any more: whether the kernel has killed something for its memory, where version 1 limits
  // it.
  bool is_out_of_memory() const;
  // Then removes them.
  void remove() const;

  // For the launcher to enter.
  const std::vector<ControlGroup>& groups() const { return groups_; }

 private:
  std::vector<ControlGroup> groups_;
  int user_namespace_ = -1;  // -1: root's own rights do
};

// Whether groups with these limits can be made here, in version 1 of control groups.
bool can_limit_by_version_1(const GroupLimits& limits);

}  // namespace isolate
