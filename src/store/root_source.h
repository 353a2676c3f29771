// RootSource: what a root is put together from.
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
  std::vector<std::string> lower;  // read-only layers, topmost first; empty: the root is what the next two say
  std::string directory;           // with layers: holds "upper" and "work" of an overlay; otherwise the root itself
  // The root itself, in place of `directory`. It is mounted for those alone who use it: no mount table of the host's or
  // of another run's shows it.
  std::optional<mount::FileSystem> file_system = std::nullopt;
};

// What messages call a root without layers: a directory, or what a file system is mounted from.
std::string name_of_root(const RootSource& root);

// The top of a root without layers as a detached mount, which nobody else has. `recursive`: with what is mounted below
// a directory. Errors: ENOENT it is not there; EPERM a file system that this process may not mount.
Result<Fd> open_root(const RootSource& root, bool recursive);

// Of the root's top directory; with layers, of that of the topmost one. A file system is mounted for a moment.
Result<struct stat> status_of_root(const RootSource& root);
// Whom that directory belongs to. A file system stays mounted, as open_root gives it back, in `opened`.
Result<uid_t> owner_of_root(const RootSource& root, Fd* opened);

// The warning about a file system that can't map ids; `is_root`: it is the run's root, and not bound into it.
std::string unmapped_warning(const std::string& path, bool is_root);

}  // namespace isolate
