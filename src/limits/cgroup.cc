#include "limits/cgroup.h"

#include <fcntl.h>
#include <linux/magic.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <algorithm>
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

// Removes all groups below the working directory, deepest first. It changes directory instead of building paths: a
// guest may nest groups so deep that neither a path nor open descriptors could reach the last one. A group with
// processes in it can't be removed, and stays.
void remove_groups_here() {
  const auto groups = [] {
    std::vector<std::string> names;
    for (auto& name : list_directory(AT_FDCWD, ".").value_or(std::vector<std::string>{})) {
      struct stat status {};
      if (::lstat(name.c_str(), &status) == 0 && S_ISDIR(status.st_mode)) names.push_back(std::move(name));
    }
    return names;
  };
  // The groups still to be removed on each level; the last of a level is the one being removed.
  std::vector<std::vector<std::string>> left = {groups()};
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

// Does not wait for the lock: a user who may open the directory can hold it as long as they like.
Result<FileLock> lock_directory(const std::string& path) {
  auto directory = TRY(open_file(AT_FDCWD, path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW));
  return FileLock::try_lock(std::move(directory), FileLock::Mode::exclusive);
}

bool is_at(const FileLock& lock, const std::string& path) {
  const auto locked = status_of(lock.fd(), "", AT_EMPTY_PATH);
  const auto there = status_of(AT_FDCWD, path);
  return locked && there && locked->st_ino == there->st_ino && locked->st_dev == there->st_dev;
}

Result<std::string> group_in(const std::string& process, const std::string& hierarchy, const std::string& controller) {
  const auto path = listed_group(TRY(read_file("/proc/" + process + "/cgroup")), controller);
  if (!path) return fail(ENOENT, "control group in " + hierarchy);
  auto directory = hierarchy + (*path == "/" ? "" : *path);
  TRY(status_of(AT_FDCWD, directory));
  return directory;
}

}  // namespace

std::optional<std::string> listed_group(const std::string& listing, const std::string& controller) {
  constexpr std::size_t kParts = 3;
  for (const auto& line : text::split(listing, '\n')) {
    const auto parts = text::split(line, ':');
    if (parts.size() < kParts) continue;
    const auto names = text::split(parts[1], ',');
    if (std::find(names.begin(), names.end(), controller) == names.end()) continue;
    // The path itself may contain colons.
    return line.substr(parts[0].size() + parts[1].size() + 2);
  }
  return std::nullopt;
}

Result<std::string> control_group_of(const std::string& process) {
  const std::string root = kRoot;
  if (is_version_2(kRoot)) return group_in(process, root, "");
  return group_in(process, root + "/systemd", "name=systemd");
}

Result<std::string> own_control_group() { return control_group_of("self"); }

Result<std::string> own_control_group_of(const std::string& controller) {
  return group_in("self", kRoot + ("/" + controller), controller);
}

Result<std::string> own_limiting_group() {
  if (is_version_2(kRoot)) return own_control_group();
  return fail(
      "limits (memory, cpus, pids, io-weight) are not available here: they need control groups of version 2 in " +
      std::string(kRoot) + "; if systemd runs here, boot with the kernel option systemd.unified_cgroup_hierarchy=1");
}

Result<FileLock> lock_control_group(const std::string& path) {
  return FileLock::wait(TRY(open_file(AT_FDCWD, path, O_RDONLY | O_DIRECTORY)), FileLock::Mode::exclusive);
}

Result<void> move_to_control_group(const std::string& path, const std::string& process) {
  const auto file = path + "/cgroup.procs";
  return write_all(TRY(open_file(AT_FDCWD, file, O_WRONLY)).get(), process, file);
}

void remove_control_group(const std::string& path) {
  const Fd before(::open(".", O_PATH | O_DIRECTORY | O_CLOEXEC));
  const Fd group(::open(path.c_str(), O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
  if (before && group && ::fchdir(group.get()) == 0) {
    remove_groups_here();
    // This can't fail in practice, because this process came from that directory.
    [[maybe_unused]] const auto back = ::fchdir(before.get());
  }
  ::rmdir(path.c_str());
}

void ControlGroup::remove_leftovers(const std::string& parent) {
  const auto names = list_directory(AT_FDCWD, parent);
  if (!names) return;  // a parent that this process can't list holds no groups that it made
  for (const auto& name : *names) {
    if (!name.starts_with(kPrefix)) continue;
    if (const auto lock = lock_directory(parent + "/" + name)) remove_control_group(parent + "/" + name);
  }
}

Result<ControlGroup> ControlGroup::make(const std::string& parent, const std::string& name) {
  // No read permission: another user who can't open the directory can't lock it either.
  constexpr mode_t kMode = 0711;
  constexpr int kTries = 10;
  const auto path = parent + "/" + std::string(kPrefix) + name;
  for (int i = 0; i < kTries; ++i) {
    TRY_VOID(make_directory(AT_FDCWD, path, kMode));
    // Until the lock is taken, another process may take the new group for a leftover and remove it. Then try again.
    auto lock = lock_directory(path);
    if (lock && is_at(*lock, path)) return ControlGroup(path, std::move(*lock));
    ::rmdir(path.c_str());
  }
  return fail("make control group " + path + ": another process keeps removing it");
}

Result<void> limit_groups_below(const std::string& path, unsigned most) {
  const auto file = path + "/cgroup.max.descendants";
  auto limit = open_file(AT_FDCWD, file, O_WRONLY);
  if (!limit && limit.error().code() == ENOENT) return {};
  return write_all(TRY(std::move(limit)).get(), std::to_string(most), file);
}

Result<void> give_control_group(const std::string& path, uid_t uid, gid_t gid) {
  TRY_VOID(limit_groups_below(path, kMostGroupsOfGuest));
  // The files that the owner of a group has to write. Version 1 and version 2 each have only some of them.
  for (const char* file : {"", "/cgroup.procs", "/cgroup.threads", "/cgroup.subtree_control", "/tasks"}) {
    const auto target = path + file;
    if (::lchown(target.c_str(), uid, gid) != 0 && errno != ENOENT) return fail(errno, "chown " + target);
  }
  return {};
}

Result<void> ControlGroup::set(const std::string& file, const std::string& value) const {
  const auto target_path = path() + "/" + file;
  const auto target = TRY(open_file(AT_FDCWD, target_path, O_WRONLY));
  return write_all(target.get(), value, target_path);
}

void ControlGroup::remove() const {
  if (*this) remove_control_group(path());
}

Result<void> ControlGroup::enter() const { return move_to_control_group(path(), "0"); }

}  // namespace isolate
