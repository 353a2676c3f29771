// The user namespaces of a lease: the one that owns its mounts, and where the member can make none, the guest's own,
// too.
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
  PendingUserNamespace lender;
  Fd user_namespace;
  wire::Nested nested = wire::Nested::none;
  Fd guest;  // the guest's own, unless there is none
};

// Inside: id 0 is the member (or with `private_ids` the first of the range), the others are those of the range.
IdMaps member_maps(const Peer& peer, std::uint32_t range_base, bool private_ids);

// Both belong to the member and have the same ids inside. The guest's own lies below the other one, where the kernel
// counts its processes. Where nobody can make one there, it lies beside the other one if mounts are to be locked; then,
// and where none is made, the kernel does not count the guest's processes, since it would count all others of the
// member's, too.
Result<LeaseNamespaces> make_lease_namespaces(const Peer& peer, const IdMaps& maps,
                                              const std::optional<wire::NestedRequest>& nested);

}  // namespace isolate
