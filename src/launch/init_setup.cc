#include "launch/init_setup.h"

#include <linux/filter.h>

#include <algorithm>
#include <cstdint>

#include "linux/sealed_file.h"
#include "wire/init_protocol.h"

namespace isolate {
namespace {

Result<Fd> write_setup(protocol::Setup setup, const RunPlan& plan, const std::vector<seccomp::Filter>& filters,
                       const std::vector<std::string>& environment, const std::vector<std::string>& command) {
  const auto most = HardLimits::of_this_process();
  for (const auto& limit : plan.limits) {
    if (setup.limits == protocol::kMostLimits) return fail("too many limits");
    setup.limit[setup.limits++] = {limit.resource, 0, std::min(limit.value, most.of(limit.resource))};
  }
  std::string content;
  for (const auto& filter : filters) {
    if (setup.filters == protocol::kMostFilters) return fail("too many seccomp filters");
    setup.filter_length[setup.filters++] = static_cast<std::uint32_t>(filter.size() / sizeof(sock_filter));
    content += filter;
  }
  setup.variables = static_cast<std::uint32_t>(environment.size());
  setup.arguments = static_cast<std::uint32_t>(command.size());
  setup.umask = plan.umask;
  content.append(plan.working_directory.c_str(), plan.working_directory.size() + 1);
  for (const auto* texts : {&environment, &command}) {
    for (const auto& text : *texts) content.append(text.c_str(), text.size() + 1);
  }
  content.insert(0, reinterpret_cast<const char*>(&setup), sizeof setup);
  return sealed_file("isolate-setup", content);
}

}  // namespace

Result<Fd> make_init_setup(const RunPlan& plan) {
  protocol::Setup setup{};
  if (plan.waits) setup.role = protocol::Role::waits;
  setup.capabilities = plan.capabilities.mask();
  setup.own_group = plan.own_group ? 1 : 0;
  setup.own_terminal = plan.own_terminal ? 1 : 0;
  setup.own_session = plan.own_session ? 1 : 0;
  setup.ignored_signals = plan.signals.ignored;
  setup.blocked_signals = plan.signals.blocked;
  if (has_own_user(plan)) {
    setup.has_user = 1;
    setup.user_id = plan.user->uid;
    setup.group_id = plan.user->gid;
  }
  return write_setup(setup, plan, plan.filters, plan.environment, plan.command);
}

Result<Fd> make_boot_setup(const RunPlan& plan) {
  protocol::Setup setup{};
  setup.role = protocol::Role::becomes;
  setup.capabilities = plan.system.capabilities.mask();
  // systemd reads in the first that it runs in a container, and in the second where to report that it has booted
  // (sd_notify(3)).
  return write_setup(setup, plan, plan.system.filters, {"container=lxc", "NOTIFY_SOCKET=/run/host/socket"},
                     {protocol::kSystemInit});
}

}  // namespace isolate
