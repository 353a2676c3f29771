// org.isolate.Manager.Kill
#include <fmt/format.h>

#include "base/log.h"
#include "isolated/calls.h"
#include "pool/end_lease.h"

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
  return with_lease_of_peer(context, parameters,
                            [&](const Pool& pool, const LeaseInfo& info) { return kill(context.peer, pool, info); });
}

}  // namespace isolate
