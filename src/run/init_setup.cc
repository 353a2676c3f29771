#include "run/init_setup.h"

#include <linux/filter.h>
#include <sys/mman.h>

#include <algorithm>

#include "base/trace.h"
#include "linux/file.h"
#include "linux/init_protocol.h"

namespace isolate {

Result<Fd> make_init_setup(const RunPlan& plan) {
  protocol::Setup setup{};
  setup.capabilities = plan.capabilities.mask();
  setup.own_group = plan.own_group ? 1 : 0;
  setup.own_terminal = plan.own_terminal ? 1 : 0;
  for (const auto& limit : plan.limits) {
    if (setup.limits == protocol::kMostLimits) return fail("too many limits");
    setup.limit[setup.limits++] = {limit.resource, 0, std::min(limit.value, hard_limit(limit.resource))};
  }
  std::string content;
  for (const auto& filter : plan.filters) {
    if (setup.filters == protocol::kMostFilters) return fail("too many seccomp filters");
    setup.filter_length[setup.filters++] = static_cast<std::uint32_t>(filter.size() / sizeof(sock_filter));
    content += filter;
  }
  content.insert(0, reinterpret_cast<const char*>(&setup), sizeof setup);
  Fd file(static_cast<int>(TRY(trace::check(::memfd_create("isolate-setup", MFD_CLOEXEC), "memfd_create", "setup"))));
  TRY_VOID(write_all(file.get(), content, "setup"));
  return file;
}

}  // namespace isolate
