#include "run/guest_group.h"

#include <signal.h>

#include "base/text.h"

namespace isolate {
namespace {

std::string shortage(const GroupLimits& limits) {
  return "--memory " + text::human_size(*limits.memory) + " was not enough";
}

}  // namespace

Result<void> GuestGroup::find_place(const Caller& caller, bool plans_alone, Steps* steps) {
  if (!limits_.any()) return {};
  return steps->run("limits", [&]() -> Result<void> {
    place_ = TRY(GroupPlace::choose(caller));
    return plans_alone ? Result<void>() : place_.prepare();
  });
}

Result<void> GuestGroup::make(const RunPlan& plan, Steps* steps) {
  if (limits_.any()) {
    limit_group_ = TRY(steps->run("limit-group", [&] { return place_.make_group(plan.clone_id, limits_); }));
    use(limit_group_.path(), [this] { return move_to_control_group(guest_part(path_), "0"); });
  }
  return {};
}

void GuestGroup::use(const std::string& path, std::function<Result<void>()> enter) {
  path_ = path;
  enter_ = std::move(enter);
}

void GuestGroup::end(Steps* steps) {
  is_out_of_memory_ = limits_.memory && killed_for_memory(path_) > 0;
  if (!limit_group_) return;
  limit_group_ = LimitGroup();
  steps->record_since_last("limit-group-end");
}

std::string GuestGroup::notice_of_kill(const ExitStatus& command) const {
  // A shell inside tells by its status what it has seen of a child.
  const bool was_command = command.shell_code() == ExitStatus{true, SIGKILL}.shell_code();
  return std::string(was_command ? "killed" : "a process of the guest was killed") + ": " + shortage(limits_);
}

Error GuestGroup::explained(Error error) const {
  return is_out_of_memory_ ? std::move(error).advise(shortage(limits_)) : std::move(error);
}

}  // namespace isolate
