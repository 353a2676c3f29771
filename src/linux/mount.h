// Mounts by descriptor (open_tree, fsopen, move_mount, mount_setattr; Linux 5.12) and not by path, because somebody
// else could replace a part of the path.
#pragma once

#include <linux/mount.h>

#include <cstdint>
#include <string>
#include <vector>

#include "base/fd.h"
#include "base/result.h"

namespace isolate::mount {

// Returns a detached copy of the mount that contains `path`, with `path` as its root. `recursive` includes the mounts
// below it. An empty path means the descriptor `directory` itself.
Result<Fd> copy_tree(int directory, const std::string& path, bool recursive);

// Attaches a detached mount on the O_PATH descriptor `target`. Errors name it `subject`.
Result<void> attach(const Fd& tree, int target, const std::string& subject);

struct Attributes {
  std::uint64_t set = 0;  // MOUNT_ATTR_*
  int idmap_userns = -1;  // maps ids as this user namespace does; -1: no id map
  bool make_private = false;
  bool recursive = false;
};
// Errors: EINVAL the file system does not support id-mapped mounts; EPERM a flag is locked or the mount belongs to
// another user namespace.
Result<void> set_attributes(const Fd& tree, const Attributes& attributes, const std::string& subject);

// Sets the propagation of the mount `tree`: MS_SHARED, MS_SLAVE or MS_PRIVATE (mount(2)).
Result<void> set_propagation(const Fd& tree, std::uint64_t propagation, const std::string& subject);

struct Option {
  const char* key;
  std::string value;  // empty: the option takes no value
};
// Creates a new instance of a file system and returns it as a detached mount. `attributes` are MOUNT_ATTR_* flags.
// Errors: ENODEV the kernel does not know the type; EINVAL it does not know an option.
Result<Fd> make(const char* type, const std::vector<Option>& options, std::uint64_t attributes);

// The arguments of make(), kept for later.
struct FileSystem {
  std::string type;
  std::vector<Option> options;
  std::uint64_t attributes = 0;
};

// Says whether the kernel has a file system of that type, built in or as a module.
bool is_known(const char* type);

struct Overlay {
  std::vector<std::string> lower;  // topmost first; short names relative to the current directory
  std::string upper;
  std::string work;
  bool throw_away = false;  // mounts with "volatile", which never syncs: for a clone that nobody keeps
  bool no_setuid = false;   // mounts with "nosuid"
};
// Mounts an overlay on `target`. Paths are relative to the current directory. The overlay keeps its own bookkeeping in
// user.* attributes ("userxattr", Linux 5.11), so that the same layers work inside and outside of a user namespace.
Result<void> mount_overlay(const Overlay& overlay, const std::string& target);

// Makes every mount of this mount namespace private: no mount or unmount passes in or out.
Result<void> make_all_private();

// Moves this process to a copy of its mount namespace in which every mount is private.
Result<void> new_namespace();

// The same, but keeps the propagation of each mount. For a caller that knows which mounts are shared and wants them so.
Result<void> copy_namespace();

// Makes `root` the root of this mount namespace and detaches the old root.
Result<void> enter_root(int root);

}  // namespace isolate::mount
