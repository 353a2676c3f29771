// What the lxc engine takes from the environment of isolate.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "base/result.h"

namespace isolate {

struct LxcSettings {
  std::string bridge = "br_vm";            // LXC_NET_BR; empty: the host's network instead
  bool map_tun = false;                    // LXC_MAP_TUN
  std::optional<unsigned> cpu_percent;     // LXC_CPU_QUOTA: of all processors together, 1 to 100
  std::optional<std::uint64_t> memory_mb;  // LXC_MEM_MB_QUOTA
  bool log = false;                        // DEBUG_LXC_SPAWN

  bool operator==(const LxcSettings&) const = default;
};

// An empty variable counts as none. Errors: plain text that names the variable and what it must be.
Result<LxcSettings> lxc_settings_from_environment();

// What a container may use where nothing else is asked for.
struct LxcQuotas {
  std::uint64_t memory = 0;    // bytes
  std::uint64_t cpu_time = 0;  // microseconds of all processors together in each kCpuPeriod
};
// `memory` of the machine in bytes: a twentieth of it, and 20 percent of its processors but at least one.
LxcQuotas lxc_quotas(const LxcSettings& settings, std::uint64_t memory, unsigned processors);

}  // namespace isolate
