// IdPlan: the id maps of a run. They follow from the request, the caller's ids, and the owner of the root on disk.
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
  bool idmap_root = false;   // the root is an id-mapped mount, so its files have ids 0..65535 on disk
  bool idmap_binds = false;  // bound directories of the host are id-mapped mounts as well
  // --userns=private for an ordinary user: the guest gets a second user namespace below the first. In the first one id
  // 0 is the caller. Id 0 of the second one is id 1 of the first, so the caller has no id in the second.
  bool nested_private = false;
  // Root has no other ids for its guest (in a container), so the guest gets root's own ids: its root is the caller.
  bool shares_own_ids = false;
  // The caller is root and does not share its own ids (shares_own_ids). So the launcher can open everything with root's
  // rights first, and can then change to any id of the guest.
  bool acts_as_root = false;
  bool is_leased = false;  // the daemon has made the namespace
  // The guest gets a user namespace of its own below the one that owns the mounts. So the kernel does not let it change
  // these mounts, and counts its processes alone.
  bool nested = false;
  std::uint64_t process_limit =
      UINT64_MAX;  // the most processes that the guest may have at a time; UINT64_MAX: no limit
};

// The ids that -u and -g name.
std::optional<BasedRange> asked_range(const RunRequest& request);
// Whether root's guest has the ids of the host, without a user namespace: only with the engine chroot, unless an option
// chooses other ids.
bool uses_ids_of_host(const RunRequest& request);

// `root_owner` is the user to whom "/" of the template belongs on disk.
// Errors: plain text: a range that is not the caller's, options that exclude each other.
Result<IdPlan> plan_ids(const RunRequest& request, const Caller& caller, const AvailableIds& ids,
                        std::uint32_t root_owner);

// The maps of the guest's own user namespace below the one that owns the mounts (`nested`). There is an entry for each
// of the maps above, because the kernel allows no entry that spans two of them.
IdMaps nested_maps(const IdPlan& plan);

}  // namespace isolate
