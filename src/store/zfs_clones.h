// Makes and destroys clones, several at a time where OpenZFS's library can be used, otherwise one after the other with
// the zfs program.
#pragma once

#include <string>
#include <vector>

#include "base/result.h"
#include "linux/tree.h"
#include "store/zfs_command.h"

namespace isolate::zfs {

// True if isolate has marked the dataset as a clone, and it was made from a snapshot of this template. Needs the
// properties "origin" and core::kCloneMark.
bool is_clone_of(const std::string& template_dataset, const Dataset& dataset);

// All results have an entry for each dataset, in the same order.

// Makes clones of a snapshot, with isolate's mark. They are mounted in the folder `mounts` when somebody asks for it.
// Errors: EEXIST; ENOENT the snapshot does not exist; ENOSPC; EDQUOT.
std::vector<Result<void>> make_clones(const std::string& mounts, const std::string& snapshot,
                                      const std::vector<std::string>& datasets);

// Destroys clones of the template. One that does not exist is no error. A clone that is mounted on the host is
// unmounted: a kept one is mounted in the folder `mounts`. The last mount namespace that contained a clone may have
// ended just now; then this waits until the kernel has let go of it. Errors: EBUSY it is still mounted; ETIMEDOUT the
// deadline has passed before its turn; it has snapshots or datasets of its own; isolate did not make it as a clone of
// this template. It then stays.
std::vector<Result<void>> destroy_clones(const std::string& mounts, const std::string& template_dataset,
                                         const std::vector<std::string>& datasets, Deadline deadline);

}  // namespace isolate::zfs
