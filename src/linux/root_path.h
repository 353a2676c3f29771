// Paths inside a root directory that this process has not entered yet. Symbolic links are resolved as if that directory
// were "/", so none leads outside (openat2 with RESOLVE_IN_ROOT and RESOLVE_NO_MAGICLINKS, Linux 5.6).
#pragma once

#include <sys/types.h>

#include <string>

#include "base/fd.h"
#include "base/result.h"

namespace isolate::root_path {

// Errors: ENOENT the path does not exist; ELOOP a loop of links, or a magic link of /proc.
Result<Fd> open(int root, const std::string& path, int flags);

// Opens a regular file for reading. It never opens another kind of file, because opening a device may set it to work.
// Errors: those of open(); EINVAL it is not a regular file.
Result<Fd> regular_file(int root, const std::string& path);

// Returns an O_PATH descriptor of the directory. With `create`, makes it and its missing parents with `mode`, less the
// umask.
Result<Fd> directory(int root, const std::string& path, bool create, mode_t mode = 0755);

// Returns an O_PATH descriptor of a file to mount on. With `create`, makes an empty file if there is none. If the path
// is a dangling symbolic link, returns the link itself: a file can be mounted on it.
Result<Fd> file(int root, const std::string& path, bool create);

// Replaces a dangling symbolic link by a directory. Errors: ENOTDIR the path is no link, or the link's target exists.
Result<Fd> directory_in_place_of_link(int root, const std::string& path);

// Returns the first prefix of the path that exists and is no directory, or "".
std::string first_non_directory(int root, const std::string& path);

}  // namespace isolate::root_path
