// org.isolate.Manager.EnterGroup
#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/log.h"
#include "base/text.h"
#include "isolated/calls.h"
#include "limits/cgroup.h"
#include "limits/lease_group.h"
#include "limits/limit_group.h"
#include "linux/file.h"
#include "linux/process_table.h"

namespace isolate {
namespace {

using wire::Json;

Result<std::string> field_of_process(const std::string& pid, const char* name) {
  const auto status = TRY(read_file("/proc/" + pid + "/status"));
  const auto field = status_field(status, name);
  if (field.empty()) return fail(ESRCH, "process " + pid);
  return std::string(field);
}

// Moves a process back that is in the group by mistake: the peer had just ended, and a new process had got its pid. A
// new process belongs where its parent is. Other processes in the group were forked there by the peer, and end with the
// lease. Nobody can move themselves to the group of process 1 this way.
void put_back(const std::string& group, const std::string& pid) {
  const auto processes = read_file(guest_part(group) + "/cgroup.procs");
  if (!processes) return;  // the group no longer exists
  const auto pids = text::split(*processes, '\n');
  if (std::find(pids.begin(), pids.end(), pid) == pids.end()) return;
  const auto parent = field_of_process(pid, "PPid");
  if (!parent || *parent == "1") return;
  const auto origin = control_group_of(*parent);
  const auto moved = origin ? move_to_control_group(*origin, pid) : Result<void>(fail(origin.error()));
  if (!moved)
    log::warning("move process " + pid + " back out of control group " + group + ": " + moved.error().message());
}

Result<void> enter(const Peer& peer, const std::string& lease) {
  const auto tree = group_tree();
  if (!tree) return fail(no_group_tree());
  const auto group = lease_group(*tree, lease);
  const auto holder = lease_of_group(group);
  // The same error for a lease of another user, so that the peer learns nothing about it.
  if (!holder || holder->uid != peer.uid || !is_lease_held(*holder)) {
    return fail("you have no lease '" + text::printable(lease) + "' with limits");
  }
  const auto alone = TRY(lock_control_group(group));
  if (TRY(is_populated(group))) return fail("the control group of " + lease + " was entered already");
  const auto pid = std::to_string(peer.pid);
  // Kernels before 6.5 report only a pid, which another process may have by now. Then it has to be a process of the
  // peer.
  const auto ids = TRY(field_of_process(pid, "Uid"));
  if (ids != fmt::format("{0}\t{0}\t{0}\t{0}", peer.uid) || has_ended(peer)) return fail(ESRCH, "the caller");
  auto moved = move_to_control_group(guest_part(group), pid);
  if (moved && !has_ended(peer)) return {};
  put_back(group, pid);
  return moved ? fail(ESRCH, "the caller") : moved;
}

}  // namespace

Answer call_enter_group(const CallContext& context, const Json& parameters) {
  constexpr std::size_t kLongest = 255;
  const auto lease = parameters.find("lease");
  if (lease == parameters.end() || !lease->is_string() || !text::is_name(lease->get<std::string>(), kLongest)) {
    return error_answer("InvalidParameter", "lease: expected the name of a lease");
  }
  const auto entered = enter(context.peer, lease->get<std::string>());
  return entered ? Answer{} : error_answer("Failed", entered.error().message());
}

}  // namespace isolate
