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
// Those of them that a dataset inherits, so that they are the same for all clones of a store.
std::string inherited_mount_properties();
// Returns the file system of a dataset with the mount options that "zfs mount" would derive from its properties.
// Errors: the dataset's key is not loaded.
Result<mount::FileSystem> file_system_of(const Dataset& dataset);

// Says whether something is mounted on `path`.
bool is_mounted(const std::string& path);
// Mounts the dataset with the zfs program. `place` is its mount point. Does nothing if it is mounted already.
Result<void> mount_on(const std::string& dataset, const std::string& place);
// Unmounts a dataset of OpenZFS. Does nothing if none is mounted there, or if it is in use.
void unmount_place(const std::string& place);

// After the last process of a mount namespace has ended, the kernel takes a moment to release its mounts, and a dataset
// is busy until then. So whoever finds it busy pauses and tries again, this many times in all.
constexpr int kTriesWhenBusy = 10;
void pause_when_busy();
// Runs the zfs program in this way.
Result<std::string> run_when_free(const std::vector<std::string>& arguments);

}  // namespace isolate::zfs
