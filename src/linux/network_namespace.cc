#include "linux/network_namespace.h"

#include <net/if.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include <algorithm>
#include <cstdint>
#include <cstring>

#include "base/trace.h"
#include "linux/file.h"

namespace isolate {
namespace {

constexpr std::uint32_t kMostGroups = 0x7fffffff;  // the kernel refuses larger ids (net/ping.h)
constexpr const char* kPingGroups = "/proc/sys/net/ipv4/ping_group_range";

// The kernel assigns the loopback addresses when the device goes up.
Result<void> raise_loopback() {
  const Fd any(static_cast<int>(TRY(trace::check(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0), "socket", "lo"))));
  ifreq loopback{};
  std::strncpy(loopback.ifr_name, "lo", sizeof loopback.ifr_name - 1);
  loopback.ifr_flags = IFF_UP;
  TRY(trace::check(::ioctl(any.get(), SIOCSIFFLAGS, &loopback), "ioctl SIOCSIFFLAGS", "lo"));
  return {};
}

}  // namespace

Result<void> new_network_namespace() {
  TRY(trace::check(::unshare(CLONE_NEWNET), "unshare", "network namespace (limit: sysctl user.max_net_namespaces)"));
  return raise_loopback();
}

std::vector<std::string> ping_ranges(const std::vector<IdMapEntry>& map) {
  if (map.empty()) return {};
  const auto range = [](std::uint32_t first, const IdMapEntry& entry) {
    return std::to_string(first) + "\t" + std::to_string(std::min(entry.inside + (entry.count - 1), kMostGroups));
  };
  const auto by_count = [](const IdMapEntry& one, const IdMapEntry& other) { return one.count < other.count; };
  const auto by_inside = [](const IdMapEntry& one, const IdMapEntry& other) { return one.inside < other.inside; };
  const auto& largest = *std::max_element(map.begin(), map.end(), by_count);
  const auto first = std::min_element(map.begin(), map.end(), by_inside)->inside;
  std::vector<std::string> ranges = {range(first, largest)};
  if (first != largest.inside) ranges.push_back(range(largest.inside, largest));
  return ranges;
}

Result<std::string> allow_ping() {
  for (const auto& range : ping_ranges(parse_id_map(TRY(read_file("/proc/self/gid_map"))))) {
    const auto file = TRY(open_file(AT_FDCWD, kPingGroups, O_WRONLY));
    TRY_VOID(write_all(file.get(), range, kPingGroups));
    if (TRY(read_file(kPingGroups)) == range + "\n") return range;
  }
  return fail("the kernel accepts no range of this namespace's groups as net.ipv4.ping_group_range");
}

}  // namespace isolate
