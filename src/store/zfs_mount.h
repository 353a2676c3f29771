// How datasets are mounted: by the zfs program where the host sees them, and without it where it does not.
#pragma once

#include <string>

#include "base/result.h"
#include "linux/mount.h"
#include "store/zfs_command.h"

namespace isolate::zfs {

// False with zfs-fuse: its file system is one of a process's, not of the kernel's.
bool kernel_has_zfs();

// The properties of a dataset that decide how it is mounted.
std::string mount_properties();
// The file system of a dataset, mounted as its properties say: what "zfs mount" would make of them. Errors: the
// dataset's key is not loaded.
Result<mount::FileSystem> file_system_of(const Dataset& dataset);

// Whether something is mounted there.
bool is_mounted(const std::string& path);
// Has the zfs program mount the dataset, whose mount point is `place`. One that is mounted stays so.
Result<void> mount_on(const std::string& dataset, const std::string& place);
// Destroys a dataset that was mounted in a namespace which has just ended. One that is gone is no error. Errors: EBUSY
// it is mounted still.
Result<void> destroy_when_free(const std::string& dataset);

}  // namespace isolate::zfs
