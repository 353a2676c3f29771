// The control group of a guest with limits, which isolate itself is not in, and where it can be: in the tree that
// "isolated --keep-groups" keeps (root), in a scope that systemd makes for this process, or below this process's own
// group where the kernel lets it.
#pragma once

#include <string>

#include "base/result.h"
#include "limits/limit_group.h"
#include "linux/caller.h"

namespace isolate {

class GroupPlace {
 public:
  GroupPlace() = default;
  // Decides, and changes nothing. Errors: limits are not to be had here, and why.
  static Result<GroupPlace> choose(const Caller& caller);
  GroupPlace(GroupPlace&&) noexcept;
  GroupPlace& operator=(GroupPlace&&) noexcept;
  // Where this process had to move out of its own group, it moves back.
  ~GroupPlace();

  // For people.
  std::string describe() const;
  // Moves this process to where it leaves room for the guest's group. Errors: those of systemd and cgroups(7).
  Result<void> prepare();
  // After that. Those of the limits that there are controllers for; a group with limits, with which groups go that
  // killed runs have left.
  Result<GroupLimits> available(const GroupLimits& limits) const { return available_limits(parent_, limits); }
  Result<LimitGroup> make_group(const std::string& lease, const GroupLimits& limits) const;

 private:
  enum class Kind { tree, scope, own };
  Result<void> move_to_leaf();
  Kind kind_ = Kind::own;
  bool is_shared_ = false;  // other runs of root's make groups there, too
  std::string parent_;
  std::string socket_;  // of systemd
  std::string leaf_;    // where this process is, in its own group
};

}  // namespace isolate
