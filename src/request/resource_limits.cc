#include "request/resource_limits.h"

#include <fmt/format.h>
#include <sys/resource.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <optional>

#include "base/text.h"
#include "limits/limit_group.h"

namespace isolate {
namespace {

struct Resource {
  std::string_view name;  // as in limits.conf(5)
  int number;
};
constexpr std::array<Resource, 13> kNamed = {{{"as", RLIMIT_AS},
                                              {"core", RLIMIT_CORE},
                                              {"cpu", RLIMIT_CPU},
                                              {"data", RLIMIT_DATA},
                                              {"fsize", RLIMIT_FSIZE},
                                              {"memlock", RLIMIT_MEMLOCK},
                                              {"msgqueue", RLIMIT_MSGQUEUE},
                                              {"nofile", RLIMIT_NOFILE},
                                              {"nproc", RLIMIT_NPROC},
                                              {"rss", RLIMIT_RSS},
                                              {"rtprio", RLIMIT_RTPRIO},
                                              {"sigpending", RLIMIT_SIGPENDING},
                                              {"stack", RLIMIT_STACK}}};

// Few builds need this many processes, and a fork bomb of this size leaves the host usable.
constexpr std::uint64_t kDefaultProcesses = 4096;
// 0 would not prevent all core dumps: if core_pattern names a program (it begins with '|'), the kernel ignores a limit
// of 0 and skips the dump only for a limit of 1 (core(5), and fs/coredump.c of the kernel).
constexpr std::uint64_t kNoCore = 1;

// Parses a decimal number such as "1.5". The result counts units of `unit` billionths and is rounded up; digits after
// the ninth decimal place are ignored. Returns nothing if the text is not such a number or its whole part exceeds
// `most`.
std::optional<std::uint64_t> decimal(std::string_view text, std::uint64_t most, std::uint64_t unit) {
  constexpr std::size_t kDigits = 9;
  constexpr std::uint64_t kOne = 1'000'000'000;
  const auto at = text.find('.');
  const auto whole = text::number(text.substr(0, at), "", 0, most);
  auto fraction = std::string(at == std::string_view::npos ? "0" : text.substr(at + 1));
  const bool is_fraction = !fraction.empty() && fraction.find_first_not_of("0123456789") == std::string::npos;
  if (!whole || !is_fraction) return std::nullopt;
  fraction.resize(kDigits, '0');
  return *whole * (kOne / unit) + (std::stoull(fraction) + unit - 1) / unit;
}

}  // namespace

HardLimits HardLimits::of_this_process() {
  HardLimits limits;
  for (std::size_t i = 0; i < kResources; ++i) {
    rlimit limit{};
    // RLIM_INFINITY is kUnlimited.
    if (::getrlimit(static_cast<__rlimit_resource>(i), &limit) == 0) limits.most[i] = limit.rlim_max;
  }
  return limits;
}

Result<ResourceLimit> parse_ulimit(std::string_view text) {
  const auto at = text.find('=');
  const auto name = text.substr(0, at);
  const auto* known =
      std::find_if(kNamed.begin(), kNamed.end(), [name](const Resource& resource) { return resource.name == name; });
  if (at == std::string_view::npos || known == kNamed.end()) {
    std::vector<std::string> names;
    for (const auto& resource : kNamed) names.emplace_back(resource.name);
    return fail(fmt::format("ulimit '{}' is not NAME=VALUE; NAME is one of {}", text::printable(text),
                            text::join(names, ", ")));
  }
  const auto value = text.substr(at + 1);
  ResourceLimit limit{std::string(name), known->number, kUnlimited};
  if (value != "unlimited") limit.value = TRY(text::number(value, "ulimit " + limit.name, 0, INT64_MAX));
  return limit;
}

Result<std::uint64_t> parse_seconds(std::string_view text, const char* what) {
  constexpr std::uint64_t kMost = 1'000'000'000;  // seconds, about thirty years
  constexpr std::uint64_t kNanoseconds = 1'000'000;
  const auto milliseconds = decimal(text, kMost, kNanoseconds);
  if (milliseconds && *milliseconds > 0) return *milliseconds;
  return fail(fmt::format("{}: '{}' is not a number of seconds above 0, like 10 or 0.5", what, text::printable(text)));
}

Result<std::uint64_t> parse_cpus(std::string_view text, const char* what) {
  constexpr std::uint64_t kMost = 10'000;
  constexpr std::uint64_t kLeast = kCpuPeriod / 100;  // the kernel refuses a cpu.max of less than 1 ms
  constexpr std::uint64_t kNanos = 1'000'000'000 / kCpuPeriod;
  const auto microseconds = decimal(text, kMost, kNanos);
  if (microseconds && *microseconds >= kLeast && *microseconds <= kMost * kCpuPeriod) return *microseconds;
  return fail(fmt::format("{}: '{}' is not a number of processors from 0.01 to 10000, like 2 or 1.5", what,
                          text::printable(text)));
}

Result<std::uint64_t> parse_size(std::string_view text, const char* what) {
  constexpr std::string_view kUnits = "KMGT";
  unsigned shift = 0;
  auto digits = text;
  if (const auto unit = text.empty() ? std::string_view::npos : kUnits.find(text.back());
      unit != std::string_view::npos) {
    shift = 10 * (static_cast<unsigned>(unit) + 1);
    digits.remove_suffix(1);
  }
  auto number = text::number(digits, what, 1, std::uint64_t{INT64_MAX} >> shift);
  if (!number) {
    return fail(
        fmt::format("{}: '{}' is not a size in bytes, like 1048576, 512K, 100M or 2G", what, text::printable(text)));
  }
  return *number << shift;
}

std::vector<ResourceLimit> default_limits(const HardLimits& most) {
  std::vector<ResourceLimit> limits = {{"core", RLIMIT_CORE, kNoCore}, {"nproc", RLIMIT_NPROC, kDefaultProcesses}};
  for (auto& limit : limits) limit.value = std::min(limit.value, most.of(limit.resource));
  return limits;
}

std::vector<ResourceLimit> with_limits(std::vector<ResourceLimit> limits, const std::vector<ResourceLimit>& others) {
  for (const auto& other : others) {
    std::erase_if(limits, [&other](const ResourceLimit& limit) { return limit.resource == other.resource; });
    limits.push_back(other);
  }
  return limits;
}

Result<void> check_reachable(const std::vector<ResourceLimit>& limits, const HardLimits& most) {
  for (const auto& limit : limits) {
    const auto hard = most.of(limit.resource);
    if (limit.value == kUnlimited || limit.value <= hard) continue;
    return fail(fmt::format("ulimit {}={}: your own hard limit is {}, and only root can raise it", limit.name,
                            limit.value, hard));
  }
  return {};
}

std::uint64_t limit_of(const std::vector<ResourceLimit>& limits, int resource) {
  for (const auto& limit : limits) {
    if (limit.resource == resource) return limit.value;
  }
  return kUnlimited;
}

}  // namespace isolate
