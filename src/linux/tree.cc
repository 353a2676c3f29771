#include "linux/tree.h"

#include <linux/fs.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cstdint>
#include <vector>

#include "base/random.h"
#include "linux/directory_stream.h"

namespace isolate {
namespace {

// Names an open file by descriptor, so that nobody can replace it by a link meanwhile.
std::string path_of(const Fd& fd) { return "/proc/self/fd/" + std::to_string(fd.get()); }

// `resolve`: RESOLVE_* flags of openat2(2).
Result<Fd> open_directory(int parent, const std::string& name, std::uint64_t resolve) {
  open_how how{};
  how.flags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;
  how.resolve = resolve;
  const auto fd = ::syscall(SYS_openat2, parent, name.c_str(), &how, sizeof how);
  if (fd < 0) return fail(errno, "open directory " + name);
  return Fd(static_cast<int>(fd));
}

// A directory without read permission, such as overlay's work directory, can still be removed by its owner, who may
// change its mode first.
bool make_readable(int parent, const std::string& name) {
  const auto entry = open_file(parent, name, O_PATH | O_DIRECTORY | O_NOFOLLOW);
  return entry && ::chmod(path_of(*entry).c_str(), 0700) == 0;
}

bool clear_attributes_of(const Fd& file) {
  int flags = 0;
  if (::ioctl(file.get(), FS_IOC_GETFLAGS, &flags) != 0) return false;
  constexpr int kKeeping = FS_IMMUTABLE_FL | FS_APPEND_FL;
  if ((flags & kKeeping) == 0) return false;
  flags &= ~kKeeping;
  return ::ioctl(file.get(), FS_IOC_SETFLAGS, &flags) == 0;
}

bool clear_attributes_of(int parent, const std::string& name) {
  const auto entry = open_file(parent, name, O_PATH | O_NOFOLLOW);
  if (!entry) return false;
  const auto status = status_of(entry->get(), "", AT_EMPTY_PATH);
  // Only files and directories have these attributes, and opening anything else could have an effect.
  if (!status || !(S_ISREG(status->st_mode) || S_ISDIR(status->st_mode))) return false;
  const auto file = open_file(AT_FDCWD, path_of(*entry), O_RDONLY | O_NONBLOCK);
  return file && clear_attributes_of(*file);
}

// unlinkat(2), which on EPERM clears the attributes that forbid removal and tries again. Returns an errno or 0.
int unlink_at(int parent, const std::string& name, int flags) {
  for (bool is_first = true;; is_first = false) {
    if (::unlinkat(parent, name.c_str(), flags) == 0) return 0;
    const int error = errno;
    if (error != EPERM || !is_first || !clear_attributes(parent, name)) return error;
  }
}

// Removes a directory. It moves subdirectories deeper than kDeepest up into the directory and removes them in a later
// round. So a tree of any depth needs a bounded number of descriptors and no long path, and no entry is moved twice.
class TreeRemover {
 public:
  explicit TreeRemover(Deadline deadline) : deadline_(deadline) {}

  Result<void> remove(int parent, const std::string& name) {
    // If somebody adds entries while a round runs, another round is needed. The number of such rounds is bounded,
    // because without a deadline the loop might never end.
    constexpr int kMostIdleRounds = 100;
    for (int idle_rounds = 0; idle_rounds < kMostIdleRounds; ++idle_rounds) {
      has_moved_ = false;
      TRY_VOID(empty(parent, name));
      if (has_moved_) idle_rounds = 0;
      const int error = unlink_at(parent, name, AT_REMOVEDIR);
      if (error == 0 || error == ENOENT) return {};
      if (!is_not_empty(error)) return fail(error, "remove " + name);
    }
    return fail(ENOTEMPTY, "remove " + name);
  }

 private:
  struct Level {
    DirectoryStream stream;
    std::string name;
  };

  static bool is_not_empty(int error) { return error == ENOTEMPTY || error == EEXIST; }

  Result<void> empty(int parent, const std::string& name) {
    levels_.clear();
    TRY_VOID(enter(parent, name));
    while (!levels_.empty()) {
      if (has_passed(deadline_)) return fail(ETIMEDOUT, "remove " + name);
      if (const dirent* entry = levels_.back().stream.next()) {
        TRY_VOID(remove_entry(levels_.back().stream.fd(), *entry));
        continue;
      }
      const auto emptied = std::move(levels_.back().name);
      levels_.pop_back();
      if (levels_.empty()) break;
      const int error = unlink_at(levels_.back().stream.fd(), emptied, AT_REMOVEDIR);
      // A directory that somebody filled again is removed in the next round.
      if (error != 0 && error != ENOENT && !is_not_empty(error)) return fail(error, "remove " + emptied);
    }
    return {};
  }

  Result<void> enter(int parent, const std::string& name) {
    // The path to the top may cross mounts; the walk below it must not.
    const std::uint64_t resolve = levels_.empty() ? 0 : RESOLVE_NO_XDEV;
    auto opened = open_directory(parent, name, resolve);
    if (!opened && opened.error().code() == EACCES && make_readable(parent, name))
      opened = open_directory(parent, name, resolve);
    if (!opened && opened.error().code() == ENOENT) return {};  // somebody else removes the same tree
    auto stream = TRY(DirectoryStream::of(TRY(std::move(opened)), name));
    levels_.push_back({std::move(stream), name});
    return {};
  }

  Result<void> remove_entry(int parent, const dirent& entry) {
    const std::string name = entry.d_name;
    if (entry.d_type != DT_DIR) {
      const int error = unlink_at(parent, name, 0);
      if (error == 0 || error == ENOENT) return {};
      if (error != EISDIR) return fail(error, "remove " + name);
    }
    const int error = unlink_at(parent, name, AT_REMOVEDIR);
    if (error == 0 || error == ENOENT) return {};  // somebody else removes the same tree
    if (!is_not_empty(error)) return fail(error, "remove " + name);
    constexpr std::size_t kDeepest = 64;
    return levels_.size() < kDeepest ? enter(parent, name) : move_up(parent, name);
  }

  Result<void> move_up(int parent, const std::string& name) {
    has_moved_ = true;
    const int top = levels_.front().stream.fd();
    auto move = [&] { return rename_file(parent, name, top, ".deep-" + random_name(), RENAME_NOREPLACE); };
    auto moved = move();
    if (!moved && moved.error().code() == EPERM && clear_attributes(parent, name)) moved = move();
    if (!moved && moved.error().code() == ENOENT) return {};  // somebody else removes the same tree
    return moved;
  }

  Deadline deadline_;
  std::vector<Level> levels_;
  bool has_moved_ = false;  // whether this round moved a directory up
};

// Walks a tree of any depth with only one directory open at a time; it returns to the parent through "..".
class UsageWalk {
 public:
  explicit UsageWalk(Deadline deadline) : deadline_(deadline) {}

  Result<TreeUsage> walk(int directory, const std::string& name) {
    auto current = TRY(open_file(directory, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW));
    TRY_VOID(count(current));
    while (usage_.is_complete) {
      auto& level = levels_.back();
      if (level.below.empty()) {
        levels_.pop_back();
        if (levels_.empty()) return usage_;
        current = TRY(open_file(current.get(), "..", O_RDONLY | O_DIRECTORY));
        // Somebody moved the directory during the walk, so ".." leads out of the tree: stop here.
        if (TRY(status_of(current.get(), "", AT_EMPTY_PATH)).st_ino != levels_.back().inode) return usage_;
        continue;
      }
      const auto next = level.below.back();
      level.below.pop_back();
      auto opened = open_file(current.get(), next, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
      if (!opened && opened.error().code() == ENOENT) continue;  // removed meanwhile: the tree is in use
      current = TRY(std::move(opened));
      TRY_VOID(count(current));
    }
    return usage_;
  }

 private:
  struct Level {
    ino_t inode;
    std::vector<std::string> below;  // directories that remain to be walked
  };

  Result<void> count(const Fd& directory) {
    Level level{TRY(status_of(directory.get(), "", AT_EMPTY_PATH)).st_ino, {}};
    auto stream = TRY(DirectoryStream::open(directory.get(), "."));
    while (const dirent* entry = stream.next()) {
      if (has_passed(deadline_)) {
        usage_.is_complete = false;
        break;
      }
      auto status = status_of(stream.fd(), entry->d_name, AT_SYMLINK_NOFOLLOW);
      if (!status) continue;  // removed meanwhile: the tree is in use
      usage_.bytes += static_cast<std::uint64_t>(status->st_blocks) * 512;
      ++usage_.files;
      if (S_ISDIR(status->st_mode)) level.below.emplace_back(entry->d_name);
    }
    levels_.push_back(std::move(level));
    return {};
  }

  Deadline deadline_;
  TreeUsage usage_;
  std::vector<Level> levels_;
};

}  // namespace

Deadline deadline_in(std::chrono::milliseconds time) { return std::chrono::steady_clock::now() + time; }

bool has_passed(const Deadline& deadline) { return deadline && std::chrono::steady_clock::now() >= *deadline; }

bool clear_attributes(int parent, const std::string& name) {
  const auto directory = open_file(parent, ".", O_RDONLY | O_DIRECTORY);
  const bool was_kept = directory && clear_attributes_of(*directory);
  return clear_attributes_of(parent, name) || was_kept;
}

Result<void> remove_tree(int directory, const std::string& name, Deadline deadline) {
  const int error = unlink_at(directory, name, 0);
  if (error == 0 || error == ENOENT) return {};
  // A read-only file system refuses to remove a name before it looks whether the name exists.
  if (error == EROFS && ::faccessat(directory, name.c_str(), F_OK, AT_SYMLINK_NOFOLLOW) != 0 && errno == ENOENT)
    return {};
  if (error != EISDIR && error != EPERM) return fail(error, "remove " + name);
  return TreeRemover(deadline).remove(directory, name);
}

Result<TreeUsage> tree_usage(int directory, const std::string& name, Deadline deadline) {
  return UsageWalk(deadline).walk(directory, name);
}

}  // namespace isolate
