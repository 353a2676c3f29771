// Paths inside a root that is not ours yet: every link of the tree is resolved as if the tree were "/" already, so none
// leads outside (openat2 with RESOLVE_IN_ROOT and RESOLVE_NO_MAGICLINKS, Linux 5.6).
#pragma once

#include <sys/types.h>

#include <string>

#include "base/fd.h"
#include "base/result.h"

namespace isolate::root_path {

// Errors: ENOENT nothing there, ELOOP a link into /proc or a loop.
Result<Fd> open(int root, const std::string& path, int flags);

// An O_PATH descriptor of the directory; it and what is missing above it are made with `mode`, less the umask, if
// `create` is set.
Result<Fd> directory(int root, const std::string& path, bool create, mode_t mode = 0755);

// An O_PATH descriptor of a file that something can be mounted on; an empty one is made if `create` is set.
// A link there that leads nowhere is what is found: something can be mounted on it as on a file.
Result<Fd> file(int root, const std::string& path, bool create);

// Puts a directory in the place of a link that leads nowhere. Errors: ENOTDIR it leads somewhere, or is no link.
Result<Fd> directory_in_place_of_link(int root, const std::string& path);

// The first part of the path that is there and no directory; empty: there is none.
std::string first_non_directory(int root, const std::string& path);

}  // namespace isolate::root_path
