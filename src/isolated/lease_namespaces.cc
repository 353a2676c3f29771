#include "isolated/lease_namespaces.h"

#include <cstdint>

#include "isolated/peer_limit.h"
#include "linux/userns_switches.h"

namespace isolate {
namespace {

// Maps every id of the namespace above to itself.
std::vector<IdMapEntry> same_ids(const std::vector<IdMapEntry>& map) {
  std::vector<IdMapEntry> same;
  for (const auto& entry : map) same.push_back({entry.inside, entry.inside, entry.count});
  return same;
}

Result<PendingUserNamespace> start_namespace(const Peer& peer, const IdMaps& maps) {
  // Make the member the owner, so that the member may enter the namespace. The kernel gives it the limit of its maker,
  // which would be the daemon's.
  return PendingUserNamespace::start(maps, MapWriter::direct, {TRY(process_limit_of(peer)), peer.uid});
}

}  // namespace

IdMaps member_maps(const Peer& peer, std::uint32_t range_base, bool private_ids) {
  if (private_ids) return {{{0, range_base, kGuestIds}}, {{0, range_base, kGuestIds}}};
  return {{{0, peer.uid, 1}, {1, range_base + 1, kGuestIds - 1}},
          {{0, peer.gid, 1}, {1, range_base + 1, kGuestIds - 1}}};
}

Result<LeaseNamespaces> make_lease_namespaces(const Peer& peer, const IdMaps& maps,
                                              const std::optional<wire::NestedRequest>& nested) {
  LeaseNamespaces made;
  made.lender = TRY(start_namespace(peer, maps));
  made.user_namespace = TRY(made.lender.finish());
  if (!nested || (!nested->locks_mounts && !nested->processes)) return made;
  const IdMaps within = {same_ids(maps.uid), same_ids(maps.gid)};
  auto below = make_user_namespace_below(made.user_namespace.get(), within, nested->processes.value_or(UINT64_MAX));
  if (below) {
    made.nested = wire::Nested::below;
    made.guest = std::move(*below);
    return made;
  }
  if (below.error().code() != EPERM) return fail(std::move(below).error());
  if (!nested->locks_mounts) return made;
  // Reap the first process before another one is started, because they use the same stack (fork_namespace_holder()).
  made.lender = PendingUserNamespace();
  made.lender = TRY(start_namespace(peer, maps));
  made.guest = TRY(made.lender.finish());
  made.nested = wire::Nested::beside;
  return made;
}

}  // namespace isolate
