// The control groups of a container of the lxc engine.
#pragma once

#include <sys/types.h>

#include <string>
#include <vector>

#include "limits/cgroup.h"
#include "limits/limit_group.h"

namespace isolate {

// The user who will own the groups.
struct ContainerOwner {
  bool is_root_caller = false;  // the caller is root and needs no user namespace to make groups
  uid_t uid = 0;                // the guest's root, as a host id
  gid_t gid = 0;
  int user_namespace = -1;     // the user namespace of the run
  bool is_one_inside = false;  // the guest's root is id 1 of that namespace, because id 0 is the caller
};

class ContainerGroups {
 public:
  ContainerGroups() = default;
  // Makes a group NAME in which the container's own init may make groups. It is made in `parent`, or if that is empty,
  // in this process's own group; no group is made if the caller may not make one there. For root it also makes a group
  // in each hierarchy of version 1 that `of_version_1` needs, with these limits. Removes groups that killed runs have
  // left. Errors: a group can't be made or refuses a limit.
  static Result<ContainerGroups> make(const std::string& name, const ContainerOwner& owner, const std::string& parent,
                                      const GroupLimits& of_version_1);
  ContainerGroups(ContainerGroups&&) = default;
  ContainerGroups& operator=(ContainerGroups&&) = default;

  // Says whether the kernel has killed a process of the container for lack of memory. Only groups of version 1 are
  // asked. Call it when the container has ended.
  bool is_out_of_memory() const;
  // Removes the groups. Call it when the container has ended.
  void remove() const;

  // The groups that the launcher moves the container into.
  const std::vector<ControlGroup>& groups() const { return groups_; }

 private:
  std::vector<ControlGroup> groups_;
  int user_namespace_ = -1;  // -1: root needs no namespace to remove its groups
};

// Says whether this process may make groups of version 1 with these limits.
bool can_limit_by_version_1(const GroupLimits& limits);

}  // namespace isolate
