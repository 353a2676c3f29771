#include "launch/container_support.h"

#include "base/log.h"
#include "launch/init_setup.h"

namespace isolate {

Result<ContainerSupport> ContainerSupport::prepare(const LxcSettings& settings, const RunPlan& plan,
                                                   const Caller& caller) {
  ContainerSupport support;
  if (!plan.engine.bridge.empty()) TRY_VOID(check_bridge(plan.engine.bridge, caller));
  if (settings.log) support.log_ = TRY(LxcLog::open());
  return support;
}

Result<void> ContainerSupport::start(const RunPlan& plan, const Caller& caller, int user_namespace,
                                     const GuestGroup& guest) {
  boot_setup_ = TRY(make_boot_setup(plan));
  if (!guest.is_given_to_guest()) {
    const auto of_version_1 = guest.is_of_version_1() ? guest.limits() : GroupLimits();
    ContainerOwner owner;
    owner.is_root_caller = caller.is_root();
    owner.uid = plan.ids.maps.uid.front().outside;
    owner.gid = plan.ids.maps.gid.front().outside;
    owner.user_namespace = user_namespace;
    owner.is_one_inside = plan.ids.nested_private;
    groups_ = TRY(ContainerGroups::make(plan.clone_id, owner, guest.path(), of_version_1));
  }
  if (!plan.engine.bridge.empty()) bridge_ = TRY(start_bridge(plan.engine.bridge, caller));
  return {};
}

void ContainerSupport::hand_to(LauncherFds* fds) const {
  fds->boot_setup = boot_setup_.get();
  fds->container_groups = &groups_.groups();
  if (bridge_) fds->bridge = bridge_->guest_end();
  if (log_) fds->log = log_->memory();
}

void ContainerSupport::end() {
  is_out_of_memory_ = is_out_of_memory_ || groups_.is_out_of_memory();
  groups_.remove();
  groups_ = ContainerGroups();
  if (!log_) return;
  if (auto saved = log_->save(); !saved) log::warning(saved.error().message());
  log_.reset();
}

}  // namespace isolate
