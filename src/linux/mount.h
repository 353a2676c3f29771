// Mounts by descriptor (open_tree, fsopen, move_mount, mount_setattr; Linux 5.12), never by a path that could be
// swapped.
#pragma once

#include <linux/mount.h>

#include <cstdint>
#include <string>
#include <vector>

#include "base/fd.h"
#include "base/result.h"

namespace isolate::mount {

// A detached copy of the mount that `path` lies on, beginning at `path`. `recursive` takes the mounts below along.
// An empty path means `directory` itself.
Result<Fd> copy_tree(int directory, const std::string& path, bool recursive);

// Attaches a detached mount on what `target` refers to (an O_PATH descriptor).
Result<void> attach(const Fd& tree, int target, const std::string& subject);

struct Attributes {
  std::uint64_t set = 0;  // MOUNT_ATTR_*
  int idmap_userns = -1;  // map ids as this user namespace does; the file system must allow it
  bool make_private = false;
  bool recursive = false;
};
// Errors: EINVAL the file system can't map ids, EPERM a flag is locked or the mount belongs to somebody else.
Result<void> set_attributes(const Fd& tree, const Attributes& attributes, const std::string& subject);

// How the mount that `tree` refers to passes on what is mounted on it: MS_SHARED, MS_SLAVE or MS_PRIVATE (mount(2)).
Result<void> set_propagation(const Fd& tree, std::uint64_t propagation, const std::string& subject);

struct Option {
  const char* key;
  std::string value;  // empty: a flag
};
// A new instance of a file system, mounted but attached nowhere. `attributes` are MOUNT_ATTR_* flags.
Result<Fd> make(const char* type, const std::vector<Option>& options, std::uint64_t attributes);

// What make() needs for a file system.
struct FileSystem {
  std::string type;
  std::vector<Option> options;
  std::uint64_t attributes = 0;
};

// False if the kernel has no file system of that type, and no module for it.
bool is_known(const char* type);

struct Overlay {
  std::vector<std::string> lower;  // topmost first; short names relative to the current directory
  std::string upper;
  std::string work;
  bool throw_away = false;  // nothing is ever synced ("volatile"): for a clone that nobody keeps
};
// Mounts an overlay on `target`, below the current directory, with user.* attributes for its own bookkeeping, so that
// the same layers work in and outside of a user namespace (Linux 5.11).
Result<void> mount_overlay(const Overlay& overlay, const std::string& target);

// Makes every mount of this mount namespace private: nothing done here is seen elsewhere, and the other way round.
Result<void> make_all_private();

// A copy of this mount namespace for this process, in which every mount is private.
Result<void> new_namespace();

// The same, but each mount goes on to pass on what it did: for a namespace that is known to share no more than it
// should.
Result<void> copy_namespace();

// Makes `root` the root of this mount namespace, and lets go of the old one.
Result<void> enter_root(int root);

}  // namespace isolate::mount
