#include "pool/end_lease.h"

#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

#include <algorithm>

#include "linux/file.h"
#include "pool/lease_processes.h"

namespace isolate {
namespace {

using Clock = std::chrono::steady_clock;

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

namespace {

// Nobody has moved it away: a lease that is over may be locked by who destroys the clone.
bool is_leased(const Pool& pool, const LeaseInfo& info) {
  return status_of(AT_FDCWD, pool.watched_path("leased") + "/" + info.clone_id).has_value();
}

// One look: whoever is known to be the lease's is ended, in order as long as there is time.
Result<void> end_processes(const LeaseInfo& info, const Fd& file, std::chrono::nanoseconds passed,
                           const Patience& patience) {
  const auto supervisor = LeaseSupervisor::find(info, file);
  if (supervisor && passed <= patience.grace) return kill_guest(*supervisor);
  if (supervisor) TRY_VOID(send(supervisor->process(), SIGKILL));
  // While isolate starts, nobody else has the lease. Without one, it was handed to processes of the user's.
  if (passed <= patience.start) return {};
  for (const auto& process : TRY(other_processes(info, file))) TRY_VOID(send(process, SIGKILL));
  return {};
}

}  // namespace

Result<void> end_lease(const Pool& pool, const LeaseInfo& asked, const Patience& patience) {
  auto info = asked;
  constexpr unsigned kLongestPause = 500'000;
  unsigned pause = 10'000;  // microseconds
  const auto file = pool.open_lease(info.clone_id);
  if (!file || !FileLock::is_held_by_others(*file)) return fail(ESRCH, "lease " + info.clone_id);
  // Without that, another namespace of the same user could have the number by the time it is compared.
  const auto held = TRY(hold_namespaces(&info));
  const auto begin = Clock::now();
  while (FileLock::is_held_by_others(*file) && is_leased(pool, info)) {
    const auto passed = Clock::now() - begin;
    // A descriptor of it is with another user, or on the way to somebody in a socket.
    if (passed > patience.limit) return pool.revoke(info);
    TRY_VOID(end_processes(info, *file, passed, patience));
    ::usleep(pause);
    pause = std::min(pause * 2, kLongestPause);
  }
  // Whoever has let go of the lock may still be in the guest.
  if (info.user_namespace == 0 && info.guest_namespace == 0) return {};
  for (const auto& process : TRY(other_processes(info, *file))) TRY_VOID(send(process, SIGKILL));
  return {};
}

}  // namespace isolate
