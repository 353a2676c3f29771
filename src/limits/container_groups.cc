#include "limits/container_groups.h"

#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <functional>

#include "linux/process.h"
#include "linux/user_namespace.h"

namespace isolate {
namespace {

constexpr const char* kMemory = "memory";
constexpr const char* kCpu = "cpu";

bool can_make_groups(const Result<std::string>& parent) {
  return parent && ::access(parent->c_str(), W_OK | X_OK) == 0;
}

Result<ControlGroup> make_group(const std::string& parent, const std::string& name) {
  ControlGroup::remove_leftovers(parent);
  return ControlGroup::make(parent, name);
}

Result<void> limit_memory(const ControlGroup& group, std::uint64_t bytes) {
  const auto limit = std::to_string(bytes);
  TRY_VOID(group.set("memory.limit_in_bytes", limit));
  // Also limits memory and swap together. A kernel without swap accounting does not have this file.
  auto swap = group.set("memory.memsw.limit_in_bytes", limit);
  return swap || swap.error().code() == ENOENT ? Result<void>() : std::move(swap);
}

Result<ControlGroup> make_group_of_version_1(const std::string& name, const std::string& controller,
                                             const GroupLimits& limits) {
  auto group = TRY(make_group(TRY(own_control_group_of(controller)), name));
  if (controller == kMemory) {
    TRY_VOID(limit_memory(group, *limits.memory));
  } else if (controller == kCpu) {
    TRY_VOID(group.set("cpu.cfs_period_us", std::to_string(kCpuPeriod)));
    TRY_VOID(group.set("cpu.cfs_quota_us", std::to_string(*limits.cpu_time)));
  } else {
    TRY_VOID(group.set("pids.max", std::to_string(*limits.processes)));
  }
  return group;
}

// Runs `work` in a child that is root of the run's user namespace, because the guest's users own the groups that they
// made, and only that root has rights over all of them.
void do_as_root_inside(int user_namespace, const std::function<void()>& work) {
  auto child = fork_child(0, [&] {
    if (!become_root_in(user_namespace)) return 1;
    work();
    return 0;
  });
  // If the child can't be started, the groups stay until the next run removes them as leftovers.
  if (child) [[maybe_unused]]
    const auto ended = child->wait();
}

}  // namespace

bool can_limit_by_version_1(const GroupLimits& limits) {
  // Version 1 has disk weights only in one I/O scheduler, which hardly any machine uses.
  if (limits.io_weight) return false;
  const auto controllers = controllers_of(limits);
  return std::all_of(controllers.begin(), controllers.end(),
                     [](const std::string& name) { return can_make_groups(own_control_group_of(name)); });
}

Result<ContainerGroups> ContainerGroups::make(const std::string& name, const ContainerOwner& owner,
                                              const std::string& parent_or_own, const GroupLimits& of_version_1) {
  ContainerGroups made;
  const auto parent = parent_or_own.empty() ? own_control_group() : Result<std::string>(parent_or_own);
  if (owner.is_root_caller) {
    if (can_make_groups(parent)) {
      made.groups_.push_back(TRY(make_group(*parent, name)));
      TRY_VOID(made.groups_.back().give_to(owner.uid, owner.gid));
    }
    for (const auto& controller : controllers_of(of_version_1)) {
      made.groups_.push_back(TRY(make_group_of_version_1(name, controller, of_version_1)));
    }
    return made;
  }
  if (!can_make_groups(parent)) return made;
  made.user_namespace_ = owner.user_namespace;
  do_as_root_inside(owner.user_namespace, [&] { ControlGroup::remove_leftovers(*parent); });
  made.groups_.push_back(TRY(ControlGroup::make(*parent, name)));
  if (!owner.is_one_inside) return made;
  // Inside the namespace, the container's root is id 1 and not the caller, so the group has to be given to it. If that
  // fails, a container with an init does not boot, and its own error message says so.
  do_as_root_inside(owner.user_namespace,
                    [&] { [[maybe_unused]] const auto given = made.groups_.back().give_to(1, 1); });
  return made;
}

bool ContainerGroups::is_out_of_memory() const {
  return std::any_of(groups_.begin(), groups_.end(), [](const ControlGroup& group) {
    return number_in(group.path() + "/memory.oom_control", "oom_kill").value_or(0) > 0;
  });
}

void ContainerGroups::remove() const {
  if (user_namespace_ < 0 || groups_.empty()) return;  // root's groups are removed by their destructors
  do_as_root_inside(user_namespace_, [this] {
    for (const auto& group : groups_) group.remove();
  });
}

}  // namespace isolate
