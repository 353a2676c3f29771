#include "request/limit_wishes.h"

#include <sys/sysinfo.h>
#include <unistd.h>

#include <cstdint>

namespace isolate {
namespace {

LxcQuotas quotas_of(const LxcSettings& settings) {
  struct sysinfo machine {};
  ::sysinfo(&machine);
  const auto processors = static_cast<unsigned>(::sysconf(_SC_NPROCESSORS_ONLN));
  return lxc_quotas(settings, std::uint64_t{machine.totalram} * machine.mem_unit, processors);
}

// Adds one limit of a container. An option that sets the limit, or removes it with "unlimited", overrides the variable.
// A variable counts like an option: the run fails if the limit can't be set. Without both the limit is a usual one,
// which a run can do without. Returns whether the limit came from the variable.
bool add_quota(std::uint64_t quota, bool is_unlimited, bool is_variable_set, std::optional<std::uint64_t>* asked,
               std::optional<std::uint64_t>* usual) {
  if (*asked || is_unlimited) return false;
  (is_variable_set ? *asked : *usual) = quota;
  return is_variable_set;
}

}  // namespace

LimitWishes limit_wishes(const RunRequest& request) {
  LimitWishes wishes;
  wishes.asked = request.group_limits;
  if (request.engine != EngineKind::lxc) return wishes;
  const auto quotas = quotas_of(request.lxc);
  if (add_quota(quotas.cpu_time, request.unlimited_cpus, request.lxc.cpu_percent.has_value(), &wishes.asked.cpu_time,
                &wishes.usual.cpu_time)) {
    wishes.variables = "LXC_CPU_QUOTA";
  }
  if (add_quota(quotas.memory, request.unlimited_memory, request.lxc.memory_mb.has_value(), &wishes.asked.memory,
                &wishes.usual.memory)) {
    wishes.variables += std::string(wishes.variables.empty() ? "" : ", ") + "LXC_MEM_MB_QUOTA";
  }
  if (!request.group_limits.memory) wishes.memory_name = "LXC_MEM_MB_QUOTA";
  return wishes;
}

}  // namespace isolate
