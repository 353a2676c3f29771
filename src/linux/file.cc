#include "linux/file.h"

#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>

#include "base/random.h"
#include "base/text.h"
#include "base/trace.h"
#include "linux/directory_stream.h"

namespace isolate {

Result<Fd> open_file(int directory, const std::string& path, int flags, mode_t mode) {
  return Fd(
      static_cast<int>(TRY(trace::check(::openat(directory, path.c_str(), flags | O_CLOEXEC, mode), "open", path))));
}

Result<struct stat> status_of(int directory, const std::string& path, int flags) {
  struct stat status {};
  TRY(trace::check(::fstatat(directory, path.c_str(), &status, flags), "stat", path));
  return status;
}

Result<std::string> read_all(int fd, std::size_t most) {
  std::string text;
  char buffer[4096];
  while (text.size() <= most) {
    const ssize_t got = ::read(fd, buffer, sizeof buffer);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return fail(errno, "read");
    if (got == 0) return text;
    text.append(buffer, static_cast<std::size_t>(got));
  }
  return fail(EFBIG, "read");
}

Result<std::string> read_file(const std::string& path, std::size_t most) {
  auto file = TRY(open_file(AT_FDCWD, path, O_RDONLY));
  auto text = read_all(file.get(), most);
  if (!text) return fail(text.error().code(), "read " + path);
  return text;
}

Result<std::string> real_path(const std::string& path) {
  char resolved[PATH_MAX];
  if (::realpath(path.c_str(), resolved) == nullptr) return fail(errno, text::printable(path));
  return std::string(resolved);
}

std::string first_executable(std::initializer_list<std::string> paths) {
  for (const auto& path : paths) {
    if (::access(path.c_str(), X_OK) == 0) return path;
  }
  return {};
}

Result<bool> wait_readable(int fd, int milliseconds) {
  pollfd state{fd, POLLIN, 0};
  int ready = -1;
  do {
    ready = ::poll(&state, 1, milliseconds);
  } while (ready < 0 && errno == EINTR);
  if (ready < 0) return fail(errno, "poll");
  return ready > 0;
}

Result<std::string> read_regular_file(int file, std::size_t most, const std::string& subject) {
  const auto status = TRY(status_of(file, "", AT_EMPTY_PATH));
  if (!S_ISREG(status.st_mode)) return fail(subject + " is not a regular file");
  if (status.st_size > static_cast<off_t>(most)) return fail(EFBIG, "read " + subject);
  // O_NONBLOCK: a process that holds a lease on the file (fcntl(2)) can't make this one wait.
  const auto opened = open_file(AT_FDCWD, "/proc/self/fd/" + std::to_string(file), O_RDONLY | O_NONBLOCK);
  if (!opened) return fail(opened.error().code(), "open " + subject);
  auto content = read_all(opened->get(), most);
  if (!content) return fail(content.error().code(), "read " + subject);
  return content;
}

Result<std::string> path_of_descriptor(int fd) {
  char path[PATH_MAX];
  const auto link = "/proc/self/fd/" + std::to_string(fd);
  const auto length = ::readlink(link.c_str(), path, sizeof path);
  if (length < 0) return fail(errno, "readlink " + link);
  return std::string(path, static_cast<std::size_t>(length));
}

void close_all_but(std::vector<int> kept) {
  std::sort(kept.begin(), kept.end());
  unsigned first = 0;
  for (const int number : kept) {
    if (number < 0) continue;
    if (first < static_cast<unsigned>(number)) ::syscall(SYS_close_range, first, static_cast<unsigned>(number) - 1, 0);
    first = static_cast<unsigned>(number) + 1;
  }
  ::syscall(SYS_close_range, first, ~0U, 0);
}

Result<Pipe> make_pipe(const char* subject) {
  int ends[2];
  TRY(trace::check(::pipe2(ends, O_CLOEXEC), "pipe2", subject));
  return Pipe{Fd(ends[0]), Fd(ends[1])};
}

Result<void> write_all(int fd, std::string_view data, std::string_view subject) {
  while (!data.empty()) {
    const ssize_t written = ::write(fd, data.data(), data.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return fail(errno, "write " + std::string(subject));
    data.remove_prefix(static_cast<std::size_t>(written));
  }
  return {};
}

Result<void> make_directory(int directory, const std::string& name, mode_t mode) {
  TRY(trace::check(::mkdirat(directory, name.c_str(), mode), "mkdir", name));
  return {};
}

Result<void> make_directories(const std::string& path, mode_t mode) {
  int made = ::mkdir(path.c_str(), mode);
  const auto slash = path.rfind('/');
  if (made != 0 && errno == ENOENT && slash != std::string::npos && slash > 0) {
    TRY_VOID(make_directories(path.substr(0, slash), mode));
    made = ::mkdir(path.c_str(), mode);
  }
  if (made != 0 && errno != EEXIST) return fail(errno, "mkdir " + path);
  // mkdir(2) applies the umask; the caller asked for exactly this mode.
  if (made == 0 && ::chmod(path.c_str(), mode) != 0) return fail(errno, "chmod " + path);
  return {};
}

Result<void> replace_file(const std::string& path, std::string_view content, mode_t mode) {
  const std::string temporary = path + "." + random_name();
  auto file = TRY(open_file(AT_FDCWD, temporary, O_WRONLY | O_CREAT | O_EXCL, mode));
  auto replaced = write_all(file.get(), content, temporary);
  if (replaced) replaced = rename_file(AT_FDCWD, temporary, AT_FDCWD, path);
  if (!replaced) ::unlink(temporary.c_str());
  return replaced;
}

Result<void> rename_file(int old_directory, const std::string& old_name, int new_directory, const std::string& new_name,
                         unsigned flags) {
  TRY(trace::check(::renameat2(old_directory, old_name.c_str(), new_directory, new_name.c_str(), flags), "rename",
                   old_name + " to " + new_name));
  return {};
}

Result<void> sync_directory(const std::string& path) {
  const auto directory = TRY(open_file(AT_FDCWD, path, O_RDONLY | O_DIRECTORY));
  if (::fsync(directory.get()) != 0) return fail(errno, "sync " + path);
  return {};
}

Result<std::vector<std::string>> list_directory(int directory, const std::string& path) {
  auto stream = TRY(DirectoryStream::open(directory, path));
  std::vector<std::string> names;
  while (const dirent* entry = stream.next()) names.emplace_back(entry->d_name);
  std::sort(names.begin(), names.end());
  return names;
}

}  // namespace isolate
