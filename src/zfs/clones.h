// Makes and destroys clones with libzfs_core.
#pragma once

#include <string>
#include <vector>

#include "zfs/library.h"

namespace isolate::zfs {

// Both return the number of an error for each dataset, or 0.

// Makes the clones with several threads, whose changes then share transaction groups.
std::vector<int> make_clones(const Library& library, const std::string& mounts, const std::string& snapshot,
                             const std::vector<std::string>& datasets);

// Looks at each dataset and destroys it if it is a clone of the template, all in one transaction group, so that nothing
// can change between the look and the destruction. EEXIST: it has snapshots or datasets of its own. Errors: the
// program in Lua failed.
Result<std::vector<int>> destroy_clones(const Library& library, const std::string& template_dataset,
                                        const std::vector<std::string>& datasets);

// Destroys datasets that destroy_clones() has just found to be clones of the template, but busy. A try that fails costs
// no transaction group and no entry in the pool's history.
std::vector<int> destroy_busy_clones(const Library& library, const std::vector<std::string>& datasets);

}  // namespace isolate::zfs
