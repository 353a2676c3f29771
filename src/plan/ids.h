// The id maps of a run, decided from the request, the caller's ids, and the owner of the root on disk.
#pragma once

#include <cstdint>

#include "base/result.h"
#include "linux/caller.h"
#include "plan/available_ids.h"
#include "pool/based_range.h"
#include "request/request.h"

namespace isolate {

struct IdPlan {
  bool new_namespace = true;  // false: the host's own ids (chroot as root)
  IdMaps maps;
  MapWriter writer = MapWriter::direct;
  bool idmap_root = false;   // the root's layers are mounted with the maps: on disk 0..65535
  bool idmap_binds = false;  // so are directories of the host
  // --userns=private: a second namespace below the first, in which the caller keeps id 0. Id 0 of the second is id 1
  // of the first.
  bool nested_private = false;
  // Root's guest has root's own ids, since root has no others: its root is this one.
  bool shares_own_ids = false;
  // The launcher has root's rights over the ids of the guest, and may change to any of them.
  bool acts_as_root = false;
  bool is_leased = false;  // the daemon has made the namespace
  // The guest gets a user namespace of its own below the one that owns the mounts, so it can't change mounts from
  // above.
  bool nested = false;
  std::uint64_t process_limit =
      UINT64_MAX;  // the most processes that the guest may have at a time; UINT64_MAX: no limit
};

// The ids that -u and -g name.
std::optional<BasedRange> asked_range(const RunRequest& request);
// Root's chroot, where nothing else is asked for, makes no user namespace.
bool uses_ids_of_host(const RunRequest& request);

// `root_owner` is the user to whom "/" of the template belongs on disk.
// Errors: plain text: a range that is not the caller's, options that exclude each other.
Result<IdPlan> plan_ids(const RunRequest& request, const Caller& caller, const AvailableIds& ids,
                        std::uint32_t root_owner);

}  // namespace isolate
