#include "request/lxc_settings.h"

#include <fmt/format.h>
#include <net/if.h>

#include <algorithm>
#include <cstdint>
#include <cstdlib>

#include "base/text.h"
#include "limits/limit_group.h"

namespace isolate {
namespace {

constexpr std::uint64_t kMiB = 1024ULL * 1024;

std::string variable(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? "" : value;
}

// The kernel allows more characters in the name of an interface. This refuses those that have a meaning in LXC's
// configuration or in a shell.
bool is_interface_name(const std::string& name) {
  const bool valid = std::all_of(name.begin(), name.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '-' ||
           c == '.';
  });
  return valid && name.size() < IFNAMSIZ && name != "." && name != ".." && !name.starts_with('-');
}

}  // namespace

Result<LxcSettings> lxc_settings_from_environment() {
  LxcSettings settings;
  if (const auto bridge = variable("LXC_NET_BR"); bridge == "none") {
    settings.bridge.clear();
  } else if (!bridge.empty()) {
    if (!is_interface_name(bridge)) {
      return fail(
          fmt::format("LXC_NET_BR '{}' is not the name of a bridge; use the host's network with LXC_NET_BR=none",
                      text::printable(bridge)));
    }
    settings.bridge = bridge;
  }
  settings.map_tun = !variable("LXC_MAP_TUN").empty();
  settings.log = !variable("DEBUG_LXC_SPAWN").empty();
  if (const auto percent = variable("LXC_CPU_QUOTA"); !percent.empty()) {
    settings.cpu_percent = static_cast<unsigned>(TRY(text::number(percent, "LXC_CPU_QUOTA (percent)", 1, 100)));
  }
  if (const auto memory = variable("LXC_MEM_MB_QUOTA"); !memory.empty()) {
    settings.memory_mb = TRY(text::number(memory, "LXC_MEM_MB_QUOTA (MB)", 6, UINT64_MAX / kMiB));
  }
  return settings;
}

LxcQuotas lxc_quotas(const LxcSettings& settings, std::uint64_t memory, unsigned processors) {
  constexpr std::uint64_t kTwentieth = 20;
  constexpr unsigned kUsualPercent = 20;
  LxcQuotas quotas;
  quotas.memory = settings.memory_mb ? *settings.memory_mb * kMiB : memory / kTwentieth;
  quotas.cpu_time = std::max(kCpuPeriod, processors * kCpuPeriod * settings.cpu_percent.value_or(kUsualPercent) / 100);
  return quotas;
}

}  // namespace isolate
