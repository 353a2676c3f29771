// Files and directories. Every error names the call and its object.
#pragma once

#include <fcntl.h>
#include <sys/stat.h>

#include <initializer_list>
#include <string>
#include <string_view>
#include <vector>

#include "base/fd.h"
#include "base/result.h"

namespace isolate {

// open(2) with O_CLOEXEC.
Result<Fd> open_file(int directory, const std::string& path, int flags, mode_t mode = 0);
Result<struct stat> status_of(int directory, const std::string& path, int flags = 0);
// Both read the whole content. Errors: EFBIG it is longer than `most` bytes.
Result<std::string> read_file(const std::string& path, std::size_t most = 1 << 20);
Result<std::string> read_all(int fd, std::size_t most = 1 << 20);
// Reads a regular file, given by an O_PATH descriptor, and never opens another kind of file. Errors call it `subject`,
// and are those of read_all(), or say that it is not a regular file.
Result<std::string> read_regular_file(int file, std::size_t most, const std::string& subject);
// Resolves all symbolic links. Errors: those of realpath(3); the message is the path.
Result<std::string> real_path(const std::string& path);
// Returns the first of these programs that this process may execute; "" if it may execute none. For programs whose
// places are fixed, because the caller's PATH must not choose them.
std::string first_executable(std::initializer_list<std::string> paths);
// Waits until a read would not wait, at most so long (-1: without a limit). Returns false if the time is up.
Result<bool> wait_readable(int fd, int milliseconds);
// Returns the current path of an open file as this process sees it.
Result<std::string> path_of_descriptor(int fd);
// Closes every descriptor of this process except those in `kept`.
void close_all_but(std::vector<int> kept);
struct Pipe {
  Fd read;
  Fd write;
};
// Both ends are close-on-exec. Errors name the pipe `subject`.
Result<Pipe> make_pipe(const char* subject);
Result<void> write_all(int fd, std::string_view data, std::string_view subject);

Result<void> make_directory(int directory, const std::string& name, mode_t mode);
// Creates the directory `path` and any missing parents, each with exactly this mode. Existing directories keep theirs.
Result<void> make_directories(const std::string& path, mode_t mode);
Result<void> rename_file(int old_directory, const std::string& old_name, int new_directory, const std::string& new_name,
                         unsigned flags = 0);

// Replaces the file at `path` atomically: a reader sees either the old or the whole new content. On an error the old
// file is unchanged. The content is not synced to disk.
Result<void> replace_file(const std::string& path, std::string_view content, mode_t mode);

// Flushes the directory to disk, so that files created, renamed or removed in it stay so after a loss of power.
Result<void> sync_directory(const std::string& path);

// Returns the names in a directory without "." and "..", sorted. Does not follow a symbolic link in the last component.
Result<std::vector<std::string>> list_directory(int directory, const std::string& path);

}  // namespace isolate
