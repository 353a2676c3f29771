// The part of ZFS's work that the program isolate-zfs does: it calls OpenZFS's library libzfs_core, starts faster than
// zfs, and makes or destroys many clones in one transaction group. zfs-fuse has no such interface.
#pragma once

#include <string>
#include <vector>

#include "base/result.h"

// The command line of isolate-zfs:
//
//   isolate-zfs clone MOUNTS SNAPSHOT DATASET...   makes clones, with the mark and a mount point in the folder MOUNTS
//   isolate-zfs destroy TEMPLATE DATASET...        destroys those that are marked clones of the dataset TEMPLATE
//   isolate-zfs destroy-busy DATASET...            tries again to destroy those that "destroy" has found busy
//
// All print a line for each dataset: 0 or the number of an error (errno(3)). EPERM: it is no clone of TEMPLATE that
// isolate has made. EEXIST: it has snapshots or datasets of its own. The exit status says whether the program could
// work at all.
namespace isolate::zfs::core {

// The user property of a clone: the snapshot that it was made from. It counts only if it is set on the clone itself,
// because datasets inherit properties.
constexpr const char* kCloneMark = "isolate:clone";

constexpr int kNoLibrary = 3;  // exit status: libzfs_core can't be used here

// False if a call has found out that the library can't be used here.
bool may_be_used();

// All return the number of an error for each dataset, or 0. Errors: ENOSYS this can't be done here, so the zfs program
// has to do it; those of execute().
Result<std::vector<int>> clone(const std::string& mounts, const std::string& snapshot,
                               const std::vector<std::string>& datasets);
Result<std::vector<int>> destroy(const std::string& template_dataset, const std::vector<std::string>& datasets);
Result<std::vector<int>> destroy_busy(const std::vector<std::string>& datasets);

}  // namespace isolate::zfs::core
