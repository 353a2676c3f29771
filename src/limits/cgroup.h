// Control groups: what an init needs of its own, which is of version 2, or on a machine with both, of the hierarchy
// that version 1 calls name=systemd; and groups of version 1's controllers.
#pragma once

#include <sys/types.h>

#include <optional>
#include <string>
#include <utility>

#include "base/result.h"
#include "linux/lock.h"

namespace isolate {

// A process's group as its /proc/PID/cgroup lists it, in the hierarchy that has the controller: "4:cpu,cpuacct:/PATH",
// "1:name=systemd:/PATH", or with none, which is version 2, "0::/PATH".
std::optional<std::string> listed_group(const std::string& listing, const std::string& controller);

// The directory of a process's group, by its number or "self". Errors: there is none that this process can see; the
// process has ended.
Result<std::string> control_group_of(const std::string& process);
// Of this process's own.
Result<std::string> own_control_group();
// The same in the hierarchy of a controller of version 1, like "memory".
Result<std::string> own_control_group_of(const std::string& controller);
// The same where /sys/fs/cgroup is of version 2, the one with limits. Errors: it is not, with what to do.
Result<std::string> own_limiting_group();

// The lock of a group's directory.
Result<FileLock> lock_control_group(const std::string& path);
// Moves a process, by its number, or the calling one ("0"). Errors: those of cgroup.procs (cgroups(7)).
Result<void> move_to_control_group(const std::string& path, const std::string& process);
// Removes a group and all groups in it. Those in which processes are stay.
void remove_control_group(const std::string& path);

// Lets no more than so many groups be made below it, which lies with its owner and not with who makes them. Version 1
// has no such limit, and all can be made. Errors: those of writing.
Result<void> limit_groups_below(const std::string& path, unsigned most);
constexpr unsigned kMostGroupsOfGuest = 1000;
// Makes it somebody else's, who may make that many groups in it.
Result<void> give_control_group(const std::string& path, uid_t uid, gid_t gid);

// Where a group is, and its lock. What is moved from is empty; what is assigned to changes places with it.
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

// A group below another one. It is locked: what of such groups has no lock is left over from a process that was killed,
// for remove_leftovers() to take away.
class ControlGroup {
 public:
  ControlGroup() = default;
  // Groups below `parent` that nobody has locked; those in which processes still are stay.
  static void remove_leftovers(const std::string& parent);
  // `name` is unused. Errors: those of mkdir(2).
  static Result<ControlGroup> make(const std::string& parent, const std::string& name);
  ControlGroup(ControlGroup&&) noexcept = default;
  ControlGroup& operator=(ControlGroup&&) noexcept = default;
  ~ControlGroup() { remove(); }
  // Removes it, and all groups in it. Those in which processes are stay.
  void remove() const;

  Result<void> give_to(uid_t uid, gid_t gid) const { return give_control_group(path(), uid, gid); }
  // Writes to one of its files, like "memory.limit_in_bytes".
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
