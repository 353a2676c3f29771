// The settings that the lxc engine takes from the environment of isolate.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "base/result.h"

namespace isolate {

struct LxcSettings {
  std::string bridge = "br_vm";            // LXC_NET_BR; empty (LXC_NET_BR=none): the host's network, no bridge
  bool map_tun = false;                    // LXC_MAP_TUN is set
  std::optional<unsigned> cpu_percent;     // LXC_CPU_QUOTA: percent of all processors together, 1 to 100
  std::optional<std::uint64_t> memory_mb;  // LXC_MEM_MB_QUOTA: MiB, at least 6
  bool log = false;                        // DEBUG_LXC_SPAWN is set

  bool operator==(const LxcSettings&) const = default;
};

// Reads the variables; an empty one counts as unset. Errors: plain text that names the variable and what it must be.
Result<LxcSettings> lxc_settings_from_environment();

// The limits of a container that come from its settings or their defaults.
struct LxcQuotas {
  std::uint64_t memory = 0;    // bytes
  std::uint64_t cpu_time = 0;  // microseconds of all processors together in each kCpuPeriod
};
// `memory` (in bytes) and `processors` are what the machine has. Without settings a container gets a twentieth of the
// memory and a fifth of the processor time. Processor time is never less than that of one whole processor.
LxcQuotas lxc_quotas(const LxcSettings& settings, std::uint64_t memory, unsigned processors);

}  // namespace isolate
