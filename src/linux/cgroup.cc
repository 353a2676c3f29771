#include "linux/cgroup.h"

#include <fcntl.h>
#include <linux/magic.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <utility>

#include "base/text.h"
#include "linux/file.h"

namespace isolate {
namespace {

constexpr const char* kRoot = "/sys/fs/cgroup";
constexpr std::string_view kPrefix = "isolate-";

bool is_version_2(const char* path) {
  struct statfs status {};
  return ::statfs(path, &status) == 0 && status.f_type == CGROUP2_SUPER_MAGIC;
}

// Removes what is below the working directory, from the ends: a guest may have made groups so deep that no path and no
// number of descriptors reaches them. A group with processes can't be removed, and stays.
void remove_groups_here() {
  const auto groups = [] {
    std::vector<std::string> names;
    for (auto& name : list_directory(AT_FDCWD, ".").value_or(std::vector<std::string>{})) {
      struct stat status {};
      if (::lstat(name.c_str(), &status) == 0 && S_ISDIR(status.st_mode)) names.push_back(std::move(name));
    }
    return names;
  };
  std::vector<std::vector<std::string>> left = {groups()};  // by level; the last one of a level is worked on
  while (true) {
    if (left.back().empty()) {
      left.pop_back();
      if (left.empty() || ::chdir("..") != 0) return;
    } else if (::chdir(left.back().back().c_str()) == 0) {
      left.push_back(groups());
      continue;
    }
    ::rmdir(left.back().back().c_str());
    left.back().pop_back();
  }
}

void remove_groups(const std::string& path) {
  const Fd before(::open(".", O_PATH | O_DIRECTORY | O_CLOEXEC));
  const Fd group(::open(path.c_str(), O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
  if (before && group && ::fchdir(group.get()) == 0) {
    remove_groups_here();
    // It could be gone into, so it can be gone back to, ignoring.
    [[maybe_unused]] const auto back = ::fchdir(before.get());
  }
  ::rmdir(path.c_str());
}

Result<FileLock> lock_directory(const std::string& path, FileLock::Mode mode) {
  return FileLock::wait(TRY(open_file(AT_FDCWD, path, O_RDONLY | O_DIRECTORY)), mode);
}

// `wanted`: "0::" of version 2, or ":NAME:" of version 1, as in "0::/PATH" and "9:NAME:/PATH".
Result<std::string> own_group_in(const std::string& hierarchy, std::string_view wanted) {
  for (const auto& line : text::split(TRY(read_file("/proc/self/cgroup")), '\n')) {
    const auto at = line.find(wanted);
    if (at == std::string::npos || (at == 0) != wanted.starts_with('0')) continue;
    const auto path = line.substr(at + wanted.size());
    const auto directory = hierarchy + (path == "/" ? "" : path);
    TRY(status_of(AT_FDCWD, directory));
    return directory;
  }
  return fail(ENOENT, "control group in " + hierarchy);
}

}  // namespace

Result<std::string> own_control_group() {
  const std::string root = kRoot;
  if (is_version_2(kRoot)) return own_group_in(root, "0::");
  return own_group_in(root + "/systemd", ":name=systemd:");
}

Result<std::string> own_control_group_of(const std::string& controller) {
  return own_group_in(kRoot + ("/" + controller), ":" + controller + ":");
}

void ControlGroup::remove_leftovers(const std::string& parent) {
  const auto lock = lock_directory(parent, FileLock::Mode::exclusive);
  const auto names = lock ? list_directory(AT_FDCWD, parent) : Result<std::vector<std::string>>(fail(""));
  if (!names) return;  // whoever can't see it can't have left anything there, ignoring
  for (const auto& name : *names) {
    if (!name.starts_with(kPrefix)) continue;
    auto directory = open_file(AT_FDCWD, parent + "/" + name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
    if (directory && FileLock::try_lock(std::move(*directory), FileLock::Mode::exclusive)) {
      remove_groups(parent + "/" + name);
    }
  }
}

Result<ControlGroup> ControlGroup::make(const std::string& parent, const std::string& name) {
  // Nobody who looks for leftovers is to see it without its lock.
  const auto parent_lock = TRY(lock_directory(parent, FileLock::Mode::exclusive));
  const auto path = parent + "/" + std::string(kPrefix) + name;
  TRY_VOID(make_directory(AT_FDCWD, path, 0755));
  return ControlGroup(path, TRY(lock_directory(path, FileLock::Mode::exclusive)));
}

Result<void> ControlGroup::give_to(uid_t uid, gid_t gid) const {
  // What its owner has to write; not all of them are there in both versions.
  for (const char* file : {"", "/cgroup.procs", "/cgroup.threads", "/cgroup.subtree_control", "/tasks"}) {
    const auto target = path_ + file;
    if (::lchown(target.c_str(), uid, gid) != 0 && errno != ENOENT) return fail(errno, "chown " + target);
  }
  return {};
}

Result<void> ControlGroup::set(const std::string& file, const std::string& value) const {
  const auto path = path_ + "/" + file;
  const auto target = TRY(open_file(AT_FDCWD, path, O_WRONLY));
  return write_all(target.get(), value, path);
}

ControlGroup::ControlGroup(ControlGroup&& other) noexcept
    : path_(std::exchange(other.path_, {})), lock_(std::move(other.lock_)) {}

ControlGroup& ControlGroup::operator=(ControlGroup&& other) noexcept {
  std::swap(path_, other.path_);
  std::swap(lock_, other.lock_);
  return *this;
}

void ControlGroup::remove() const {
  if (!path_.empty()) remove_groups(path_);
}

Result<void> ControlGroup::enter() const { return set("cgroup.procs", "0"); }

}  // namespace isolate
