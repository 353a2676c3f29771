// The control groups of a container, as the lxc engine has it.
#pragma once

#include <sys/types.h>

#include <string>
#include <vector>

#include "limits/cgroup.h"
#include "limits/limit_group.h"

namespace isolate {

// Whose groups they are to be.
struct ContainerOwner {
  bool is_root_caller = false;  // root's own rights are enough
  uid_t uid = 0;                // the guest's root, in the host's ids
  gid_t gid = 0;
  int user_namespace = -1;     // of the run
  bool is_one_inside = false;  // in that namespace the guest's root is id 1, since id 0 is the caller
};

class ContainerGroups {
 public:
  ContainerGroups() = default;
  // Makes a group NAME that the container's own init may divide, below `parent`, or below this process's own group if
  // that is empty; no group if the caller can't make one there. For root it also makes a group with `of_version_1` for
  // each controller of version 1. It removes what killed runs have left. Errors: a group can't be made, or does not
  // take a limit.
  static Result<ContainerGroups> make(const std::string& name, const ContainerOwner& owner, const std::string& parent,
                                      const GroupLimits& of_version_1);
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
