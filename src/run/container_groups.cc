#include "run/container_groups.h"

#include <unistd.h>

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

Result<ControlGroup> memory_group(const std::string& name, std::uint64_t bytes) {
  auto group = TRY(make_group(TRY(own_control_group_of(kMemory)), name));
  const auto limit = std::to_string(bytes);
  TRY_VOID(group.set("memory.limit_in_bytes", limit));
  // With swap; a kernel may not count that.
  if (auto swap = group.set("memory.memsw.limit_in_bytes", limit); !swap && swap.error().code() != ENOENT) {
    return fail(std::move(swap).error());
  }
  return group;
}

Result<ControlGroup> cpu_group(const std::string& name, std::uint64_t milli_cpus) {
  constexpr std::uint64_t kPeriod = 100'000;  // microseconds
  constexpr std::uint64_t kMicrosOfMilli = kPeriod / 1000;
  auto group = TRY(make_group(TRY(own_control_group_of(kCpu)), name));
  TRY_VOID(group.set("cpu.cfs_period_us", std::to_string(kPeriod)));
  TRY_VOID(group.set("cpu.cfs_quota_us", std::to_string(milli_cpus * kMicrosOfMilli)));
  return group;
}

// In a child that is root of the run's user namespace: to him belongs what the guest's users have made, too.
void do_as_root_inside(int user_namespace, const std::function<void()>& work) {
  auto child = fork_child(0, [&] {
    if (!become_root_in(user_namespace)) return 1;
    work();
    return 0;
  });
  // Without one the work is left to the next run, ignoring.
  if (child) [[maybe_unused]]
    const auto ended = child->wait();
}

}  // namespace

bool has_quota_controllers() {
  return can_make_groups(own_control_group_of(kMemory)) && can_make_groups(own_control_group_of(kCpu));
}

Result<ContainerGroups> ContainerGroups::make(const RunPlan& plan, bool caller_is_root, int user_namespace,
                                              const LxcQuotas& quotas, const std::string& guest_group) {
  ContainerGroups made;
  const auto& name = plan.clone_id;
  const auto parent = guest_group.empty() ? own_control_group() : Result<std::string>(guest_group);
  if (caller_is_root) {
    if (can_make_groups(parent)) {
      made.groups_.push_back(TRY(make_group(*parent, name)));
      TRY_VOID(made.groups_.back().give_to(plan.ids.maps.uid.front().outside, plan.ids.maps.gid.front().outside));
    }
    if (quotas.memory != 0) made.groups_.push_back(TRY(memory_group(name, quotas.memory)));
    if (quotas.milli_cpus != 0) made.groups_.push_back(TRY(cpu_group(name, quotas.milli_cpus)));
    return made;
  }
  if (!can_make_groups(parent)) return made;
  made.user_namespace_ = user_namespace;
  do_as_root_inside(user_namespace, [&] { ControlGroup::remove_leftovers(*parent); });
  made.groups_.push_back(TRY(ControlGroup::make(*parent, name)));
  if (!plan.ids.nested_private) return made;
  // Root of the namespace below, who is not the caller.
  do_as_root_inside(user_namespace, [&] { [[maybe_unused]] const auto given = made.groups_.back().give_to(1, 1); });
  return made;
}

void ContainerGroups::remove() const {
  if (user_namespace_ < 0 || groups_.empty()) return;  // they go by themselves
  do_as_root_inside(user_namespace_, [this] {
    for (const auto& group : groups_) group.remove();
  });
}

}  // namespace isolate
