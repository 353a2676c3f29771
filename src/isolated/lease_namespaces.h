// The user namespaces of a lease: one that owns its mounts, and one for the guest if the member can't create any.
#pragma once

#include <cstdint>

#include "base/fd.h"
#include "base/result.h"
#include "isolated/peer.h"
#include "linux/idmap.h"
#include "linux/user_namespace.h"
#include "wire/manager.h"

namespace isolate {

struct LeaseNamespaces {
  // Reaps the process that created the namespaces, when this is destroyed.
  PendingUserNamespace lender;
  Fd user_namespace;
  wire::Nested nested = wire::Nested::none;
  Fd guest;  // the guest's own; empty with Nested::none
};

// Returns the maps of a lease. Inside, id 0 is the member, or with `private_ids` the first id of the range; the other
// ids are those of the range.
IdMaps member_maps(const Peer& peer, std::uint32_t range_base, bool private_ids);

// Makes the namespaces of a lease. Both belong to the member and have the same ids inside. The guest's namespace lies
// below the other one, where the kernel counts its processes. If the host forbids that and mounts have to be
// locked, the guest's namespace lies beside the other one. There, and in a lease without one, the kernel would count
// all other processes of the member too, so it sets no limit on the guest's.
Result<LeaseNamespaces> make_lease_namespaces(const Peer& peer, const IdMaps& maps,
                                              const std::optional<wire::NestedRequest>& nested);

}  // namespace isolate
