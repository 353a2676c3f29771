// Control groups: what an init needs of its own, which is of version 2, or on a machine with both, of the hierarchy
// that version 1 calls name=systemd; and groups of version 1's controllers.
#pragma once

#include <sys/types.h>

#include <string>

#include "base/result.h"
#include "linux/lock.h"

namespace isolate {

// The directory of this process's own group. Errors: there is none that this process can see.
Result<std::string> own_control_group();
// The same in the hierarchy of a controller of version 1, like "memory".
Result<std::string> own_control_group_of(const std::string& controller);

// A group below another one. It is locked: what of such groups has no lock is left over from a process that was killed,
// for remove_leftovers() to take away.
class ControlGroup {
 public:
  ControlGroup() = default;
  // Groups below `parent` that nobody has locked; those in which processes still are stay.
  static void remove_leftovers(const std::string& parent);
  // `name` is unused. Errors: those of mkdir(2).
  static Result<ControlGroup> make(const std::string& parent, const std::string& name);
  ControlGroup(ControlGroup&&) noexcept;
  ControlGroup& operator=(ControlGroup&&) noexcept;
  ~ControlGroup() { remove(); }
  // Removes it, and all groups in it. Those in which processes are stay.
  void remove() const;

  // Makes it somebody else's, who may make groups in it.
  Result<void> give_to(uid_t uid, gid_t gid) const;
  // Writes to one of its files, like "memory.limit_in_bytes".
  Result<void> set(const std::string& file, const std::string& value) const;
  // Moves the calling process into it.
  Result<void> enter() const;
  explicit operator bool() const { return !path_.empty(); }
  const std::string& path() const { return path_; }

 private:
  ControlGroup(std::string path, FileLock lock) : path_(std::move(path)), lock_(std::move(lock)) {}
  std::string path_;
  FileLock lock_;
};

}  // namespace isolate
