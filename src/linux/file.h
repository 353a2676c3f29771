// Files and directories by descriptor, with errors that name what they were about.
#pragma once

#include <fcntl.h>
#include <sys/stat.h>

#include <string>
#include <string_view>
#include <vector>

#include "base/fd.h"
#include "base/result.h"

namespace isolate {

// open(2) with O_CLOEXEC.
Result<Fd> open_file(int directory, const std::string& path, int flags, mode_t mode = 0);
Result<struct stat> status_of(int directory, const std::string& path, int flags = 0);
Result<std::string> read_file(const std::string& path, std::size_t most = 1 << 20);
Result<std::string> read_all(int fd, std::size_t most = 1 << 20);
// The path of an open file, as this process sees it now.
Result<std::string> path_of_descriptor(int fd);
// Closes every descriptor of this process that is not among `kept`.
void close_all_but(std::vector<int> kept);
struct Pipe {
  Fd read;
  Fd write;
};
// Both ends are close-on-exec. `subject`: what it is for.
Result<Pipe> make_pipe(const char* subject);
Result<void> write_all(int fd, std::string_view data, std::string_view subject);

Result<void> make_directory(int directory, const std::string& name, mode_t mode);
// Makes the path and what is missing above it, with exactly this mode. What exists is left as it is.
Result<void> make_directories(const std::string& path, mode_t mode);
Result<void> rename_file(int old_directory, const std::string& old_name, int new_directory, const std::string& new_name,
                         unsigned flags = 0);

// Makes `content` the file at `path` at once: whoever reads it sees what was there before or all of this, and after an
// error it is as before.
Result<void> replace_file(const std::string& path, std::string_view content, mode_t mode);

// What was made, renamed or removed in a directory is so after a loss of power, too.
Result<void> sync_directory(const std::string& path);

// The names in a directory without "." and "..", sorted.
Result<std::vector<std::string>> list_directory(int directory, const std::string& path);

}  // namespace isolate
