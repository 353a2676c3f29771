// AvailableIds: the ids of the host that a run may use. The plan chooses which of them the guest's user namespace maps.
#pragma once

#include <cstdint>
#include <optional>

#include "base/result.h"
#include "linux/caller.h"
#include "linux/lock.h"
#include "request/request.h"

namespace isolate {

struct AvailableIds {
  std::optional<std::uint32_t> range;  // root: the first id of a range that no other run has
  std::optional<IdMaps> roots_own;     // root of a container, which has no ranges: its own ids, each mapped to itself
  OwnedIds owned;                      // an ordinary user: their own id and their ranges of /etc/subuid and subgid
};

// Looks the ids up. For a run of root it also takes a range, which no other run gets while `range_lock` is held; with
// --dry-run it takes none. Errors: plain text: no range is left; the ids that -u and -g name belong to users of the
// host; the caller has too few ids, with what to do.
Result<AvailableIds> find_ids(const RunRequest& request, OwnerNamespace* owner, FileLock* range_lock);

}  // namespace isolate
