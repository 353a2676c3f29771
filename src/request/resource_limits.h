// Limits of a run: resource limits (setrlimit(2)), and the options that give a time, a size or a number of processors.
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

// A soft and hard limit that each process of the guest gets. With the isolating engines "nproc" limits the number of
// all processes of the guest, because the guest's user namespace is made under that limit.
struct ResourceLimit {
  std::string name;  // "nofile"
  int resource = 0;  // RLIMIT_NOFILE
  std::uint64_t value = kUnlimited;
  bool operator==(const ResourceLimit&) const = default;
};

// Parses NAME=VALUE, where VALUE is a whole number or "unlimited". Errors: plain text that lists the known names.
Result<ResourceLimit> parse_ulimit(std::string_view text);

// In the functions below `what` is the option's name for messages.

// Parses a number of seconds such as "10" or "0.5". Returns milliseconds, rounded up. Digits after the ninth decimal
// place are ignored. Errors: not a number above 0.
Result<std::uint64_t> parse_seconds(std::string_view text, const char* what);
// Parses a number of processors such as "2" or "1.5". Returns microseconds in each kCpuPeriod, rounded up.
// Errors: not a number from 0.01 to 10000.
Result<std::uint64_t> parse_cpus(std::string_view text, const char* what);
// Parses a size such as "512", "64K", "100M" or "2G". Returns bytes. Errors: not such a size; it is 0 or too large.
Result<std::uint64_t> parse_size(std::string_view text, const char* what);

// The hard limits of a process: no limit of its guest can be higher.
struct HardLimits {
  std::array<std::uint64_t, kResources> most;
  HardLimits() { most.fill(kUnlimited); }
  std::uint64_t of(int resource) const { return most.at(static_cast<std::size_t>(resource)); }
  static HardLimits of_this_process();
};

// The limits that an isolating engine sets by default. None is above the hard limits.
std::vector<ResourceLimit> default_limits(const HardLimits& most);
// Adds `others` to `limits`. A limit in `others` replaces one of the same resource.
std::vector<ResourceLimit> with_limits(std::vector<ResourceLimit> limits, const std::vector<ResourceLimit>& others);
// Errors: a limit is above the caller's hard limit, which only root can raise.
Result<void> check_reachable(const std::vector<ResourceLimit>& limits, const HardLimits& most);
// The value of a resource's limit; kUnlimited if `limits` has none for it.
std::uint64_t limit_of(const std::vector<ResourceLimit>& limits, int resource);

}  // namespace isolate
