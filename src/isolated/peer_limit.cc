#include "isolated/peer_limit.h"

#include <algorithm>
#include <charconv>
#include <cstdint>
#include <string>
#include <string_view>

#include "linux/file.h"

namespace isolate {
namespace {

// A line of proc_pid_limits(5): the name, the soft limit, the hard limit and the unit, in columns.
Result<std::uint64_t> hard_limit_in(std::string_view limits) {
  constexpr std::string_view kName = "\nMax processes ";
  constexpr std::string_view kBlank = " ";
  const auto broken = [] { return fail("/proc/PID/limits: it has no limit on processes"); };
  const auto line = limits.find(kName);
  if (line == std::string_view::npos) return broken();
  auto rest = limits.substr(line + kName.size());
  for (int column = 0; column < 2; ++column) {
    const auto begin = rest.find_first_not_of(kBlank);
    if (begin == std::string_view::npos) return broken();
    rest.remove_prefix(begin);
    if (column == 0) rest.remove_prefix(std::min(rest.find_first_of(kBlank), rest.size()));
  }
  constexpr std::string_view kUnlimited = "unlimited";
  if (rest.starts_with(kUnlimited)) return UINT64_MAX;
  std::uint64_t limit = 0;
  if (std::from_chars(rest.data(), rest.data() + rest.size(), limit).ec != std::errc()) return broken();
  return limit;
}

}  // namespace

// Not with prlimit(2), which takes CAP_SYS_RESOURCE.
Result<std::uint64_t> process_limit_of(const Peer& peer) {
  auto limits = read_file("/proc/" + std::to_string(peer.pid) + "/limits");
  if (peer.pidfd && has_ended(peer)) return fail(ESRCH, "process of the peer");
  return hard_limit_in(TRY(std::move(limits)));
}

}  // namespace isolate
