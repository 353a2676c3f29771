#include "run/container_support.h"

#include <sys/sysinfo.h>
#include <unistd.h>

#include "base/log.h"
#include "run/init_setup.h"

namespace isolate {
namespace {

LxcQuotas quotas_of(const LxcSettings& settings) {
  struct sysinfo machine {};
  ::sysinfo(&machine);
  const auto processors = static_cast<unsigned>(::sysconf(_SC_NPROCESSORS_ONLN));
  return lxc_quotas(settings, std::uint64_t{machine.totalram} * machine.mem_unit, processors);
}

// `notice`: that there are none.
Result<LxcQuotas> plan_quotas(const LxcSettings& settings, const Caller& caller, std::string* notice) {
  if (caller.is_root() && has_quota_controllers()) return quotas_of(settings);
  const std::string why = caller.is_root()
                              ? "they take control groups of version 1 with memory and cpu, which can't be made here"
                              : "they take control groups, which an ordinary user does not have";
  if (settings.cpu_percent || settings.memory_mb) {
    return fail("LXC_CPU_QUOTA and LXC_MEM_MB_QUOTA are not to be had: " + why);
  }
  *notice = "the container has no quotas of memory and processors: " + why;
  return LxcQuotas{};
}

}  // namespace

Result<ContainerSupport> ContainerSupport::prepare(const LxcSettings& settings, const RunPlan& plan,
                                                   const Caller& caller) {
  ContainerSupport support;
  if (!plan.engine.bridge.empty()) TRY_VOID(BridgeConnector::check(plan.engine.bridge, caller));
  support.quotas_ = TRY(plan_quotas(settings, caller, &support.notice_));
  if (settings.log) support.log_ = TRY(LxcLog::open());
  return support;
}

Result<void> ContainerSupport::start(const RunPlan& plan, const Caller& caller, int user_namespace,
                                    const std::string& guest_group) {
  boot_setup_ = TRY(make_boot_setup(plan));
  groups_ = TRY(ContainerGroups::make(plan, caller.is_root(), user_namespace, quotas_, guest_group));
  if (!plan.engine.bridge.empty()) bridge_ = TRY(BridgeConnector::start(plan.engine.bridge, caller));
  return {};
}

void ContainerSupport::hand_to(LauncherFds* fds) const {
  fds->boot_setup = boot_setup_.get();
  fds->groups = &groups_.groups();
  if (bridge_) fds->bridge = bridge_->guest_end();
  if (log_) fds->log = log_->memory();
}

void ContainerSupport::tell() const {
  if (!notice_.empty()) log::info(notice_);
}

void ContainerSupport::end() const {
  groups_.remove();
  if (!log_) return;
  if (auto saved = log_->save(); !saved) log::warning(saved.error().message());
}

}  // namespace isolate
