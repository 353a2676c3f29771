#include "limits/guest_group.h"

#include <signal.h>

#include <algorithm>
#include <utility>

#include "base/log.h"
#include "base/text.h"
#include "limits/container_groups.h"
#include "limits/lease_group.h"

namespace isolate {

Result<void> GuestGroup::choose_parent(const Caller& caller, bool plans_alone, Steps* steps) {
  if (!wishes_.any()) return {};
  return steps->run("limits", [&]() -> Result<void> {
    auto chosen = choose(caller, plans_alone);
    if (!chosen) return do_without(std::move(chosen).error());
    limits_ = wishes_.all();
    return {};
  });
}

Result<void> GuestGroup::choose(const Caller& caller, bool plans_alone) {
  if (is_container_ && caller.is_root() && can_limit_by_version_1(wishes_.all())) {
    is_of_version_1_ = true;
    return {};
  }
  place_ = TRY(GroupPlace::choose(caller));
  return plans_alone ? Result<void>() : place_.prepare();
}

Result<GroupLimits> GuestGroup::for_daemon() {
  const auto tree = group_tree();
  if (tree) {
    use_available(TRY(available_limits(*tree, wishes_.usual)));
  } else if (wishes_.asked.any() && wishes_.variables.empty()) {
    limits_ = wishes_.asked;  // the daemon reports why it has no group tree
  } else if (wishes_.any()) {
    TRY_VOID(do_without(Error(no_group_tree())));
  }
  return limits_;
}

// A limit that was asked for but is not available stays: making the group then fails with an error that names it.
void GuestGroup::use_available(const GroupLimits& available) {
  limits_ = wishes_.all_of(available);
  const auto had = controllers_of(limits_);
  auto missing = controllers_of(wishes_.all());
  std::erase_if(missing,
                [&had](const std::string& name) { return std::find(had.begin(), had.end(), name) != had.end(); });
  if (!missing.empty())
    notice_ =
        "the container has no quota of " + text::join(missing, ", ") + ": control groups have no such controller here";
}

// A limit that nobody asked for is no reason to fail.
Result<void> GuestGroup::do_without(Error reason) {
  if (wishes_.asked.any()) {
    return fail(wishes_.variables.empty() ? std::move(reason) : std::move(reason).within(wishes_.variables));
  }
  notice_ = "the container has no quotas of memory and processors: " + reason.message();
  limits_ = {};
  return {};
}

std::string GuestGroup::describe() const {
  if (!limits_.any()) return "";
  return is_of_version_1_ ? "in version 1, below isolate's own group" : place_.describe();
}

Result<void> GuestGroup::make(const std::string& lease, Steps* steps) {
  if (!limits_.any() || is_of_version_1_) return {};
  return steps->run("limit-group", [&]() -> Result<void> {
    auto made = make_limits(lease);
    return made ? Result<void>() : do_without(std::move(made).error());
  });
}

Result<void> GuestGroup::make_limits(const std::string& lease) {
  use_available(TRY(place_.available(wishes_.usual)));
  if (!limits_.any()) return fail("none of their controllers is available");
  limit_group_ = TRY(place_.make_group(lease, limits_));
  path_ = limit_group_.path();
  return {};
}

void GuestGroup::use(const std::string& path, const std::string& lease) {
  path_ = path;
  lease_ = lease;
}

std::optional<GroupEntry> GuestGroup::entry() const {
  if (path_.empty()) return std::nullopt;
  return GroupEntry{path(), lease_};
}

void GuestGroup::report_missing_limits() const {
  if (!notice_.empty()) log::info(notice_);
}

void GuestGroup::end(bool out_of_memory, Steps* steps) {
  is_out_of_memory_ = out_of_memory || (limits_.memory && count_oom_kills(path_) > 0);
  if (!limit_group_) return;
  limit_group_ = LimitGroup();
  steps->record_since_last("limit-group-end");
}

std::string GuestGroup::shortage() const {
  return wishes_.memory_name + " " + text::human_size(*limits_.memory) + " was not enough";
}

std::string GuestGroup::notice_of_kill(const ExitStatus& command) const {
  // The command may be a shell that reports the killed child by its exit status.
  const bool was_command = command.shell_code() == ExitStatus{true, SIGKILL}.shell_code();
  return std::string(was_command ? "killed" : "a process of the guest was killed") + ": " + shortage();
}

Error GuestGroup::with_shortage(Error error) const {
  return is_out_of_memory_ ? std::move(error).advise(shortage()) : std::move(error);
}

}  // namespace isolate
