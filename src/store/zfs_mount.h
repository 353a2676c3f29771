// Mounts datasets: with the zfs program where the host may see the mount, and with fsmount(2) where it must not.
#pragma once

#include <string>

#include "base/result.h"
#include "linux/mount.h"
#include "store/zfs_command.h"

namespace isolate::zfs {

// False with zfs-fuse, whose file system lives in a process and not in the kernel.
bool kernel_has_zfs();

// Returns the properties of a dataset that decide how it is mounted.
std::string mount_properties();
// Returns the file system of a dataset with the mount options that "zfs mount" would derive from its properties.
// Errors: the dataset's key is not loaded.
Result<mount::FileSystem> file_system_of(const Dataset& dataset);

// Says whether something is mounted on `path`.
bool is_mounted(const std::string& path);
// Mounts the dataset with the zfs program. `place` is its mount point. Does nothing if it is mounted already.
Result<void> mount_on(const std::string& dataset, const std::string& place);
// Destroys a dataset that was mounted in a mount namespace that has just ended. A dataset that does not exist is no
// error. Errors: EBUSY it is still mounted.
Result<void> destroy_when_free(const std::string& dataset);

}  // namespace isolate::zfs
