// The ids of the host that a run can have: its user namespace maps some of them.
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

// Looks them up, and takes a range for a run of root: no other run has it while `range_lock` is held. For --dry-run
// nothing is taken. Errors: plain text: no range is left; the ids that -u and -g name belong to users of the host; the
// caller has too few ids, with what to do.
Result<AvailableIds> find_ids(const RunRequest& request, OwnerNamespace* owner, FileLock* range_lock);

}  // namespace isolate
