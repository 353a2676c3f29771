// Control groups of version 2 that limit what is in them (cgroups(7); the kernel's admin-guide/cgroup-v2).
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "limits/cgroup.h"

namespace isolate {

constexpr std::uint64_t kCpuPeriod = 100'000;  // microseconds

struct GroupLimits {
  std::optional<std::uint64_t> memory;     // bytes, of which none goes to swap
  std::optional<std::uint64_t> cpu_time;   // microseconds of all processors together in each kCpuPeriod
  std::optional<std::uint64_t> processes;  // and threads
  std::optional<std::uint64_t> io_weight;  // 1 to 10000, where others have 100

  bool any() const { return memory || cpu_time || processes || io_weight; }
  bool operator==(const GroupLimits&) const = default;
};

// The controllers that the limits take, or all that there are limits for.
std::vector<std::string> controllers_of(const GroupLimits& limits);
std::vector<std::string> limiting_controllers();

// Gives groups below `path` these controllers. Errors: one is not there, by its name; EBUSY there are processes in it.
Result<void> enable_controllers(const std::string& path, const std::vector<std::string>& controllers);
// Takes all of them from groups below. Errors: EBUSY they have given them on.
Result<void> disable_controllers(const std::string& path);
// Of those named, the ones that `path` has to give.
Result<std::vector<std::string>> available_controllers(const std::string& path,
                                                       const std::vector<std::string>& controllers);

// Of the limits, those that `path` has a controller for.
Result<GroupLimits> available_limits(const std::string& path, const GroupLimits& limits);

// Writes the limits of a group that is there. Errors: a file that is not there, or a value that the kernel refuses.
Result<void> write_limits(const std::string& path, const GroupLimits& limits);

// Kills all that is in the groups, waits until it has ended, and removes them (cgroup.kill, Linux 5.14). What has not
// ended in that time keeps its group, while the others go.
void kill_and_remove_groups(const std::vector<std::string>& paths, std::chrono::milliseconds patience);
// Whether a process is in the group or below. Errors: there is no such group.
Result<bool> is_populated(const std::string& path);
// Processes that the kernel has killed in it and below since it was made, since their memory was over the limit; 0
// where that can't be read.
std::uint64_t killed_for_memory(const std::string& path);
// The number in a file of a group's that is one line (`word` is empty), or behind a word at the beginning of one of
// several. Errors: those of reading; plain text.
Result<std::uint64_t> number_in(const std::string& path, const std::string& word);

// A group with limits. What it limits is in a group below: that one is the root of a control group namespace which is
// made there, and the files with the limits are outside of it, whoever they belong to. Its directory is locked, and
// nobody else but root can open that.
class LimitGroup {
 public:
  LimitGroup() = default;
  // Makes it below `parent`, which has no processes of its own (or is the root of all groups).
  // Errors: those of enable_controllers and write_limits; EEXIST. Nothing is left after an error.
  static Result<LimitGroup> make(const std::string& parent, const std::string& name, const GroupLimits& limits);
  LimitGroup(LimitGroup&&) noexcept = default;
  LimitGroup& operator=(LimitGroup&&) noexcept = default;
  // Kills what is in it, and removes it.
  ~LimitGroup();

  const std::string& path() const { return group_.path(); }
  explicit operator bool() const { return !path().empty(); }
  // Leaves it to somebody else to remove.
  void leave() { group_.clear(); }

 private:
  explicit LimitGroup(const std::string& path) : group_(path, {}) {}
  LockedGroup group_;
};

// Where the processes of such a group are.
std::string guest_part(const std::string& group);

}  // namespace isolate
