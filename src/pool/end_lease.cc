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

// A process that has ended already needs no signal.
Result<void> send(const HeldProcess& process, int number) {
  auto sent = process.signal(number);
  if (!sent && sent.error().code() != ESRCH) return sent;
  return {};
}

// Kills the guest if it has started.
Result<void> kill_guest(const LeaseSupervisor& supervisor) {
  const auto table = TRY(ProcessTable::read());
  const auto engine = TRY(supervisor.engine(table));
  if (engine) TRY_VOID(send(*engine, SIGKILL));
  // A stopped isolate has to be continued, or it would not notice that its guest has ended.
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

// A lease that has ended moves to another directory, and the process that destroys its clone may hold the lock there.
bool is_leased(const Pool& pool, const LeaseInfo& info) {
  return status_of(AT_FDCWD, pool.state_path("leased") + "/" + info.clone_id).has_value();
}

// Makes one attempt: ends the processes known to belong to the lease. While there is time, it kills only the guest, so
// that isolate ends in an orderly way.
Result<void> end_processes(const LeaseInfo& info, const Fd& file, std::chrono::nanoseconds passed,
                           const Patience& patience) {
  const auto supervisor = LeaseSupervisor::find(info, file);
  if (supervisor && passed <= patience.grace) return kill_guest(*supervisor);
  if (supervisor) TRY_VOID(send(supervisor->process(), SIGKILL));
  // While isolate starts, only it holds the lease, so wait. If there is no isolate after that, it has handed the lease
  // to other processes of the user.
  if (passed <= patience.start) return {};
  for (const auto& process : TRY(other_processes(info, file))) TRY_VOID(send(process, SIGKILL));
  return {};
}

}  // namespace

Result<void> end_lease(const Pool& pool, const LeaseInfo& asked, const Patience& patience) {
  auto info = asked;
  constexpr unsigned kLongestPause = 500'000;
  unsigned pause = 10'000;  // microseconds
  const auto file = pool.open_lease_file(info.clone_id);
  if (!file || !pool.is_held(info.clone_id, *file)) return fail(ESRCH, "lease " + info.clone_id);
  // Without this, another namespace of the same user could get a namespace's number before the number is compared.
  const auto held = TRY(hold_namespaces(&info));
  const auto begin = Clock::now();
  while (pool.is_held(info.clone_id, *file) && is_leased(pool, info)) {
    const auto passed = Clock::now() - begin;
    // Another user has a copy of the lock's descriptor, or it lies in a socket. No signal can end that.
    if (passed > patience.limit) return pool.revoke(info);
    TRY_VOID(end_processes(info, *file, passed, patience));
    ::usleep(pause);
    pause = std::min(pause * 2, kLongestPause);
  }
  // A process of the guest may have closed the lock and still run.
  if (info.user_namespace == 0 && info.guest_namespace == 0) return {};
  for (const auto& process : TRY(other_processes(info, *file))) TRY_VOID(send(process, SIGKILL));
  return {};
}

}  // namespace isolate
