#include "pool/end_lease.h"

#include <fmt/format.h>
#include <signal.h>
#include <sys/file.h>
#include <unistd.h>

#include <algorithm>

#include "linux/file.h"
#include "pool/lease_processes.h"

namespace isolate {
namespace {

using Clock = std::chrono::steady_clock;

// The lock is given back at once: it was only asked for.
bool is_held(const Fd& file) {
  if (::flock(file.get(), LOCK_SH | LOCK_NB) != 0) return errno == EWOULDBLOCK;
  ::flock(file.get(), LOCK_UN);
  return false;
}

// A process that has ended meanwhile is what was wanted.
Result<void> send(const HeldProcess& process, int number) {
  auto sent = process.signal(number);
  if (!sent && sent.error().code() != ESRCH) return sent;
  return {};
}

// Kills the guest, if there is one already.
Result<void> kill_guest(const LeaseSupervisor& supervisor) {
  const auto table = TRY(ProcessTable::read());
  const auto engine = TRY(supervisor.engine(table));
  if (engine) TRY_VOID(send(*engine, SIGKILL));
  // An isolate that is stopped would not notice.
  const auto self = table.all().find(supervisor.process().pid());
  if (self == table.all().end() || self->second.state != 'T') return {};
  return send(supervisor.process(), SIGCONT);
}

}  // namespace

Result<std::optional<LeaseInfo>> find_lease(const Pool& pool, const std::string& clone_id) {
  for (auto& info : TRY(pool.leases())) {
    if (info.clone_id == clone_id) return std::optional(std::move(info));
  }
  return std::optional<LeaseInfo>();
}

Result<void> end_lease(const Pool& pool, const LeaseInfo& info, const Patience& patience) {
  constexpr unsigned kLongestPause = 500'000;
  unsigned pause = 10'000;  // microseconds
  const auto file = pool.open_lease(info.clone_id);
  if (!file || !is_held(*file)) return fail(ESRCH, "lease " + info.clone_id);
  const auto begin = Clock::now();
  while (is_held(*file)) {
    const auto passed = Clock::now() - begin;
    if (passed > patience.limit) {
      return fail(ETIMEDOUT, fmt::format("lease {}: a process that is not isolate still holds it", info.clone_id));
    }
    // While it starts, there may be no guest yet, or none that can be looked at.
    const auto supervisor = LeaseSupervisor::find(info, *file);
    if (supervisor && passed <= patience.grace) TRY_VOID(kill_guest(*supervisor));
    if (supervisor && passed > patience.grace) TRY_VOID(send(supervisor->process(), SIGKILL));
    ::usleep(pause);
    pause = std::min(pause * 2, kLongestPause);
  }
  return {};
}

}  // namespace isolate
