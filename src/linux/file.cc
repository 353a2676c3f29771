#include "linux/file.h"

#include <dirent.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>

#include "base/random.h"
#include "base/trace.h"

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
  // The mode that was asked for, whatever the umask.
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

namespace {

class DirectoryStream {
 public:
  static Result<DirectoryStream> open(int directory, const std::string& path) {
    auto fd = TRY(open_file(directory, path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW));
    DIR* stream = ::fdopendir(fd.get());
    if (stream == nullptr) return fail(errno, "open directory " + path);
    fd.release();
    return DirectoryStream(stream);
  }
  DirectoryStream(DirectoryStream&& other) noexcept : stream_(std::exchange(other.stream_, nullptr)) {}
  DirectoryStream& operator=(DirectoryStream&& other) noexcept {
    std::swap(stream_, other.stream_);
    return *this;
  }
  ~DirectoryStream() {
    if (stream_ != nullptr) ::closedir(stream_);
  }

  // The next entry that is not "." or "..", or null at the end.
  const dirent* next() {
    while (const dirent* entry = ::readdir(stream_)) {
      const std::string_view name = entry->d_name;
      if (name != "." && name != "..") return entry;
    }
    return nullptr;
  }
  int fd() const { return ::dirfd(stream_); }

 private:
  explicit DirectoryStream(DIR* stream) : stream_(stream) {}
  DIR* stream_;
};

// Removes what is in a directory. Directories deeper than kDeepest are moved up into `top` and left for a later round,
// so that a tree of any depth needs a bounded number of descriptors and no long path.
class TreeRemover {
 public:
  explicit TreeRemover(int top) : top_(top) {}

  Result<void> empty(int directory, const std::string& name, dev_t device, int depth) {
    auto opened = DirectoryStream::open(directory, name);
    // The owner of a directory that nobody may read (overlay's work directory is one) can still remove it.
    if (!opened && opened.error().code() == EACCES && ::fchmodat(directory, name.c_str(), 0700, 0) == 0) {
      opened = DirectoryStream::open(directory, name);
    }
    if (!opened && opened.error().code() == ENOENT) return {};  // somebody else removes the same tree
    auto stream = TRY(std::move(opened));
    const auto status = TRY(status_of(stream.fd(), "", AT_EMPTY_PATH));
    if (status.st_dev != device) return fail(EXDEV, "remove " + name);
    while (const dirent* entry = stream.next()) {
      if (entry->d_type != DT_DIR) {
        if (::unlinkat(stream.fd(), entry->d_name, 0) == 0) continue;
        if (errno == ENOENT) continue;
        if (errno != EISDIR) return fail(errno, std::string("remove ") + entry->d_name);
      }
      TRY_VOID(remove_directory(stream.fd(), entry->d_name, device, depth + 1));
    }
    return {};
  }

  Result<void> remove_directory(int parent, const std::string& name, dev_t device, int depth) {
    constexpr int kDeepest = 64;
    if (::unlinkat(parent, name.c_str(), AT_REMOVEDIR) == 0) return {};
    if (errno == ENOENT) return {};  // somebody else removes the same tree
    if (errno != ENOTEMPTY && errno != EEXIST) return fail(errno, "remove " + name);
    if (depth > kDeepest) {
      ++moved_;
      return rename_file(parent, name, top_, ".deep-" + random_name(), RENAME_NOREPLACE);
    }
    TRY_VOID(empty(parent, name, device, depth));
    if (::unlinkat(parent, name.c_str(), AT_REMOVEDIR) == 0 || errno == ENOENT) return {};
    return fail(errno, "remove " + name);
  }

  bool take_moved() { return std::exchange(moved_in_round_, moved_) != moved_; }

 private:
  int top_;
  unsigned moved_ = 0;
  unsigned moved_in_round_ = 0;
};

// Walks a tree of any depth with one directory open at a time, and comes back up by "..".
class UsageWalk {
 public:
  Result<TreeUsage> walk(int directory, const std::string& name) {
    auto current = TRY(open_file(directory, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW));
    TRY_VOID(count(current));
    while (true) {
      auto& level = levels_.back();
      if (level.below.empty()) {
        levels_.pop_back();
        if (levels_.empty()) return usage_;
        current = TRY(open_file(current.get(), "..", O_RDONLY | O_DIRECTORY));
        // Moved while it was walked: what ".." is now is no part of the tree.
        if (TRY(status_of(current.get(), "", AT_EMPTY_PATH)).st_ino != levels_.back().inode) return usage_;
        continue;
      }
      const auto next = level.below.back();
      level.below.pop_back();
      auto opened = open_file(current.get(), next, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
      if (!opened && opened.error().code() == ENOENT) continue;  // gone since: the tree is in use
      current = TRY(std::move(opened));
      TRY_VOID(count(current));
    }
  }

 private:
  struct Level {
    ino_t inode;
    std::vector<std::string> below;  // directories still to be walked
  };

  Result<void> count(const Fd& directory) {
    Level level{TRY(status_of(directory.get(), "", AT_EMPTY_PATH)).st_ino, {}};
    auto stream = TRY(DirectoryStream::open(directory.get(), "."));
    while (const dirent* entry = stream.next()) {
      auto status = status_of(stream.fd(), entry->d_name, AT_SYMLINK_NOFOLLOW);
      if (!status) continue;  // gone since, ignoring: the tree is in use
      usage_.bytes += static_cast<std::uint64_t>(status->st_blocks) * 512;
      ++usage_.files;
      if (S_ISDIR(status->st_mode)) level.below.emplace_back(entry->d_name);
    }
    levels_.push_back(std::move(level));
    return {};
  }

  TreeUsage usage_;
  std::vector<Level> levels_;
};

}  // namespace

Result<std::vector<std::string>> list_directory(int directory, const std::string& path) {
  auto stream = TRY(DirectoryStream::open(directory, path));
  std::vector<std::string> names;
  while (const dirent* entry = stream.next()) names.emplace_back(entry->d_name);
  std::sort(names.begin(), names.end());
  return names;
}

Result<void> remove_tree(int directory, const std::string& name) {
  const int error = ::unlinkat(directory, name.c_str(), 0) == 0 ? 0 : errno;
  if (error == 0 || error == ENOENT) return {};
  // A read-only file system refuses before it looks.
  if (error == EROFS && ::faccessat(directory, name.c_str(), F_OK, AT_SYMLINK_NOFOLLOW) != 0 && errno == ENOENT)
    return {};
  if (error != EISDIR && error != EPERM) return fail(error, "remove " + name);
  auto opened = open_file(directory, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
  if (!opened && opened.error().code() == ENOENT) return {};  // somebody else removes the same tree
  auto top = TRY(std::move(opened));
  const auto status = TRY(status_of(top.get(), "", AT_EMPTY_PATH));
  TreeRemover remover(top.get());
  do {
    TRY_VOID(remover.empty(directory, name, status.st_dev, 0));
  } while (remover.take_moved());
  if (::unlinkat(directory, name.c_str(), AT_REMOVEDIR) != 0 && errno != ENOENT) return fail(errno, "remove " + name);
  return {};
}

Result<TreeUsage> tree_usage(int directory, const std::string& name) { return UsageWalk().walk(directory, name); }

}  // namespace isolate
