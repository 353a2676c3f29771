// The place where isolate makes the control group of a guest with limits. isolate itself stays outside of that group.
// There are three places: for root, the tree that "isolated --keep-groups" keeps; a scope that systemd makes for this
// process; or this process's own group, if the kernel allows it.
#pragma once

#include <string>

#include "base/result.h"
#include "limits/limit_group.h"
#include "linux/caller.h"

namespace isolate {

class GroupPlace {
 public:
  GroupPlace() = default;
  // Chooses the place without changing anything. Errors: limits are not available here, with the reason.
  static Result<GroupPlace> choose(const Caller& caller);
  GroupPlace(GroupPlace&&) noexcept;
  GroupPlace& operator=(GroupPlace&&) noexcept;
  // Moves this process back if it had to move out of its own group.
  ~GroupPlace();

  // Describes the place for people.
  std::string describe() const;
  // Moves this process out of the way of the guest's group. Call it before the two functions below. Errors: those of
  // systemd and cgroups(7).
  Result<void> prepare();
  // Returns those of the limits for which the place has controllers.
  Result<GroupLimits> available(const GroupLimits& limits) const { return available_limits(parent_, limits); }
  // Makes a group with the limits. Removes groups that killed runs have left.
  Result<LimitGroup> make_group(const std::string& lease, const GroupLimits& limits) const;

 private:
  enum class Kind { tree, scope, own };
  Result<void> move_to_leaf();
  Kind kind_ = Kind::own;
  bool is_shared_ = false;  // other runs of root make groups in the same place
  std::string parent_;
  std::string socket_;  // systemd's socket, for Kind::scope
  std::string leaf_;    // the group that this process has moved to, for Kind::own
};

}  // namespace isolate
