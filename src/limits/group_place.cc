#include "limits/group_place.h"

#include <unistd.h>

#include <utility>

#include "base/random.h"
#include "limits/cgroup.h"
#include "limits/lease_group.h"
#include "limits/systemd_scope.h"
#include "linux/file.h"

namespace isolate {
namespace {

// Only the root control group has no cgroup.type. It may have both processes and groups with controllers.
bool is_root_of_all(const std::string& group) { return ::access((group + "/cgroup.type").c_str(), F_OK) != 0; }

}  // namespace

Result<GroupPlace> GroupPlace::choose(const Caller& caller) {
  GroupPlace place;
  place.parent_ = TRY(own_limiting_group());
  place.is_shared_ = caller.is_root();
  if (const auto tree = group_tree(); tree && caller.is_root()) {
    place.kind_ = Kind::tree;
    place.parent_ = *tree;
    return place;
  }
  auto socket = systemd_socket(caller.uid);
  if (socket) {
    place.kind_ = Kind::scope;
    place.is_shared_ = false;
    place.socket_ = std::move(*socket);
    return place;
  }
  if (::access(place.parent_.c_str(), W_OK) == 0) return place;
  return fail("limits (memory, cpus, pids, io-weight) are not available here: " + socket.error().message());
}

GroupPlace::GroupPlace(GroupPlace&& other) noexcept { *this = std::move(other); }

GroupPlace& GroupPlace::operator=(GroupPlace&& other) noexcept {
  std::swap(kind_, other.kind_);
  std::swap(is_shared_, other.is_shared_);
  std::swap(parent_, other.parent_);
  std::swap(socket_, other.socket_);
  std::swap(leaf_, other.leaf_);
  return *this;
}

GroupPlace::~GroupPlace() {
  // systemd removes a scope when its last process has ended.
  if (kind_ != Kind::own || leaf_.empty()) return;
  // If groups below still need the controllers, this fails, and the process stays in its leaf.
  if (disable_controllers(parent_) && move_to_control_group(parent_, "0")) remove_control_group(leaf_);
}

std::string GroupPlace::describe() const {
  switch (kind_) {
    case Kind::tree:
      return "in " + parent_;
    case Kind::scope:
      return "in a systemd scope (" + socket_ + ")";
    case Kind::own:
      break;
  }
  return "below isolate's own group, " + parent_;
}

Result<void> GroupPlace::prepare() {
  if (kind_ == Kind::scope) parent_ = TRY(enter_systemd_scope(socket_, "isolate-" + random_name()));
  if (kind_ == Kind::tree || is_root_of_all(parent_)) return {};
  return move_to_leaf();
}

// The kernel gives controllers to groups below a group only if that group has no processes, so this process moves to a
// leaf.
Result<void> GroupPlace::move_to_leaf() {
  const auto leaf = parent_ + "/supervisor-" + random_name();
  TRY_VOID(make_directory(AT_FDCWD, leaf, 0755));
  leaf_ = leaf;
  return move_to_control_group(leaf_, "0");
}

Result<LimitGroup> GroupPlace::make_group(const std::string& lease, const GroupLimits& limits) const {
  FileLock alone;
  if (is_shared_) {
    alone = TRY(lock_groups());
    remove_ended_groups(parent_, Ended::runs);
  }
  auto group = LimitGroup::make(parent_, lease_group_name(lease), limits);
  if (group || group.error().code() != EBUSY) return group;
  return fail(std::move(group).error().advise(
      "isolate's control group contains other processes; start isolate in a control group of its own"));
}

}  // namespace isolate
