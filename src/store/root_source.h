// RootSource: the parts from which a guest's root is assembled.
#pragma once

#include <sys/stat.h>

#include <optional>
#include <string>
#include <vector>

#include "base/fd.h"
#include "base/result.h"
#include "linux/mount.h"

namespace isolate {

struct RootSource {
  std::vector<std::string> lower;  // read-only layers, topmost first; empty: one of the next two is the root
  std::string directory;           // with layers: contains "upper" and "work" of an overlay; otherwise the root itself
  // The root itself, instead of `directory`. It is mounted only in the mount namespace of the process that uses it, so
  // neither the host nor another run sees it.
  std::optional<mount::FileSystem> file_system = std::nullopt;
};

// Returns the name of a root without layers for messages: the directory, or the source of the file system.
std::string name_of_root(const RootSource& root);

// Returns a detached mount of a root without layers. `recursive` includes the mounts below a directory. Errors: ENOENT
// it does not exist; EPERM this process may not mount the file system.
Result<Fd> open_root(const RootSource& root, bool recursive);

// Returns the status of the root's top directory; with layers, that of the topmost layer. Mounts a file system briefly.
Result<struct stat> status_of_root(const RootSource& root);
// Returns the owner of that directory. For a file system, `opened` contains the mount afterwards, as open_root()
// returns it, unless it has it already.
Result<uid_t> owner_of_root(const RootSource& root, Fd* opened);

// The warning about a file system that can't map ids; `is_root`: it is the run's root, and not bound into it.
std::string unmapped_warning(const std::string& path, bool is_root);

}  // namespace isolate
