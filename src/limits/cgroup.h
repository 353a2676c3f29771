// Control groups: the group that a guest's init needs for itself, and groups of version 1's controllers. The init's
// group is one of version 2, or on a machine that mounts both versions, of version 1's hierarchy name=systemd.
#pragma once

#include <sys/types.h>

#include <optional>
#include <string>
#include <utility>

#include "base/result.h"
#include "linux/lock.h"

namespace isolate {

// Returns the path of a process's group in the hierarchy that has `controller`, from the text of /proc/PID/cgroup.
// Lines are "4:cpu,cpuacct:/PATH", "1:name=systemd:/PATH", and for version 2, whose controller is "", "0::/PATH".
std::optional<std::string> listed_group(const std::string& listing, const std::string& controller);

// Returns the directory of the control group of a process, given by its pid or "self". Errors: no group that this
// process can see; the process has ended.
Result<std::string> control_group_of(const std::string& process);
// The same for this process.
Result<std::string> own_control_group();
// The same for this process in the hierarchy of a controller of version 1, such as "memory".
Result<std::string> own_control_group_of(const std::string& controller);
// The same for this process if /sys/fs/cgroup is of version 2, which limits need. Otherwise an error that says what to
// do.
Result<std::string> own_limiting_group();

// Locks the directory of a group, and waits for the lock.
Result<FileLock> lock_control_group(const std::string& path);
// Moves a process, given by its pid, or the calling process ("0") into the group. Errors: those of cgroup.procs
// (cgroups(7)).
Result<void> move_to_control_group(const std::string& path, const std::string& process);
// Removes a group and all groups in it, except those that contain processes.
void remove_control_group(const std::string& path);

// Limits the number of groups below `path`. The owner of `path` sets the limit, and it also binds users to whom groups
// below belong. Version 1 has no such limit; then this does nothing. Errors: those of write(2).
Result<void> limit_groups_below(const std::string& path, unsigned most);
constexpr unsigned kMostGroupsOfGuest = 1000;
// Gives the group to a user, who may make kMostGroupsOfGuest groups in it.
Result<void> give_control_group(const std::string& path, uid_t uid, gid_t gid);

// The path of a group and its lock. A moved-from object is empty; move assignment swaps.
class LockedGroup {
 public:
  LockedGroup() = default;
  LockedGroup(std::string path, FileLock lock) : path_(std::move(path)), lock_(std::move(lock)) {}
  LockedGroup(LockedGroup&& other) noexcept { *this = std::move(other); }
  LockedGroup& operator=(LockedGroup&& other) noexcept {
    std::swap(path_, other.path_);
    std::swap(lock_, other.lock_);
    return *this;
  }
  const std::string& path() const { return path_; }
  void clear() { path_.clear(); }

 private:
  std::string path_;
  FileLock lock_;
};

// A group that isolate makes below another one, and locks. A group of isolate's without a lock was left by a process
// that was killed; remove_leftovers() removes it.
class ControlGroup {
 public:
  ControlGroup() = default;
  // Removes the groups of isolate below `parent` that nobody has locked, except those that contain processes.
  static void remove_leftovers(const std::string& parent);
  // Makes the group isolate-NAME; `name` must be unused. Errors: those of mkdir(2).
  static Result<ControlGroup> make(const std::string& parent, const std::string& name);
  ControlGroup(ControlGroup&&) noexcept = default;
  ControlGroup& operator=(ControlGroup&&) noexcept = default;
  ~ControlGroup() { remove(); }
  // Removes the group and all groups in it, except those that contain processes.
  void remove() const;

  Result<void> give_to(uid_t uid, gid_t gid) const { return give_control_group(path(), uid, gid); }
  // Writes `value` to a file of the group, such as "memory.limit_in_bytes".
  Result<void> set(const std::string& file, const std::string& value) const;
  // Moves the calling process into it.
  Result<void> enter() const;
  explicit operator bool() const { return !path().empty(); }
  const std::string& path() const { return group_.path(); }

 private:
  ControlGroup(std::string path, FileLock lock) : group_(std::move(path), std::move(lock)) {}
  LockedGroup group_;
};

}  // namespace isolate
