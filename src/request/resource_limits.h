// Limits of a run: resources as of setrlimit(2), time, memory for files.
#pragma once

#include <sys/resource.h>

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace isolate {

constexpr std::uint64_t kUnlimited = UINT64_MAX;
constexpr std::size_t kResources = RLIM_NLIMITS;

// Soft and hard, of each process; but of "nproc" the isolating engines make one for all processes of the guest.
struct ResourceLimit {
  std::string name;  // "nofile"
  int resource = 0;  // RLIMIT_NOFILE
  std::uint64_t value = kUnlimited;
  bool operator==(const ResourceLimit&) const = default;
};

// NAME=VALUE, VALUE a whole number or "unlimited". Errors: plain text with the names that there are.
Result<ResourceLimit> parse_ulimit(std::string_view text);
// "10", "0.5": milliseconds, rounded up; what is less than a nanosecond does not count. Errors: not a number of seconds
// above 0.
Result<std::uint64_t> parse_seconds(std::string_view text, const char* what);
// "2", "1.5": microseconds in each kCpuPeriod, rounded up. Errors: not a number from 0.01 to 10000.
Result<std::uint64_t> parse_cpus(std::string_view text, const char* what);
// "512", "64K", "100M", "2G": bytes.
Result<std::uint64_t> parse_size(std::string_view text, const char* what);

// The hard limits of a process, the most that its limits can be.
struct HardLimits {
  std::array<std::uint64_t, kResources> most;
  HardLimits() { most.fill(kUnlimited); }
  std::uint64_t of(int resource) const { return most.at(static_cast<std::size_t>(resource)); }
  static HardLimits of_this_process();
};

// What an isolating engine sets where nothing else is asked for, no higher than the hard limits.
std::vector<ResourceLimit> default_limits(const HardLimits& most);
// `limits` with those of `others`, which win.
std::vector<ResourceLimit> with_limits(std::vector<ResourceLimit> limits, const std::vector<ResourceLimit>& others);
// Errors: a limit is above the caller's hard limit, which nobody but the administrator can raise.
Result<void> check_reachable(const std::vector<ResourceLimit>& limits, const HardLimits& most);
// The value of a limit; kUnlimited when it is not among them.
std::uint64_t limit_of(const std::vector<ResourceLimit>& limits, int resource);

}  // namespace isolate
