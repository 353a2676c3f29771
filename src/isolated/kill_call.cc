// org.isolate.Manager.Kill
#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "base/log.h"
#include "base/text.h"
#include "isolated/calls.h"
#include "linux/caller.h"
#include "pool/end_lease.h"
#include "pool/registered.h"

namespace isolate {
namespace {

Answer kill(const Peer& peer, const Pool& pool, const LeaseInfo& info) {
  const auto ended = end_lease(pool, info);
  if (!ended && ended.error().code() == ESRCH) {
    return error_answer("NoSuchLease", "lease " + info.clone_id + " has ended by itself");
  }
  if (!ended) return error_answer("Failed", ended.error().message());
  log::info(fmt::format("killed lease {} for uid {}, pid {}", info.clone_id, peer.uid, peer.pid));
  return Answer{};
}

}  // namespace

Answer call_kill(const CallContext& context, const wire::Json& parameters) {
  const auto name = parameters.find("lease");
  if (name == parameters.end() || !name->is_string())
    return error_answer("InvalidParameter", "lease: expected a string");
  const auto wanted = name->get<std::string>();
  OwnerNamespace owner(Caller::current());
  const auto stores = open_all_stores(context.settings.store, &owner);
  const auto& peer = context.peer;
  for (const auto& pool : registered_pools(stores)) {
    const auto info = find_lease(pool, wanted);
    // The same error for a lease of another user, so that the peer learns nothing about it.
    const bool is_own = info && *info && (peer.is_root() || (*info)->user == std::to_string(peer.uid));
    if (is_own) return kill(peer, pool, **info);
  }
  return error_answer("NoSuchLease", "no lease '" + text::printable(wanted) + "' is running");
}

}  // namespace isolate
