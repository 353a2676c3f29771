// Control groups of version 2 with limits (cgroups(7); the kernel's admin-guide/cgroup-v2).
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
  std::optional<std::uint64_t> memory;     // bytes, none of them in swap
  std::optional<std::uint64_t> cpu_time;   // microseconds in each kCpuPeriod, all processors together
  std::optional<std::uint64_t> processes;  // processes and threads
  std::optional<std::uint64_t> io_weight;  // 1 to 10000; the default of other groups is 100

  bool any() const { return memory || cpu_time || processes || io_weight; }
  bool operator==(const GroupLimits&) const = default;
};

// The controllers that these limits need, and the controllers that any limit needs.
std::vector<std::string> controllers_of(const GroupLimits& limits);
std::vector<std::string> limiting_controllers();

// Enables these controllers for the groups below `path`. Errors: a controller is not available, by its name; EBUSY the
// group contains processes.
Result<void> enable_controllers(const std::string& path, const std::vector<std::string>& controllers);
// Disables all controllers for the groups below. Errors: EBUSY a group below has enabled them for groups of its own.
Result<void> disable_controllers(const std::string& path);
// Returns those of `controllers` that `path` can enable for groups below.
Result<std::vector<std::string>> available_controllers(const std::string& path,
                                                       const std::vector<std::string>& controllers);

// Returns those of the limits for which `path` has a controller.
Result<GroupLimits> available_limits(const std::string& path, const GroupLimits& limits);

// Writes the limits of an existing group. Errors: the kernel lacks a limit or refuses its value.
Result<void> write_limits(const std::string& path, const GroupLimits& limits);

// Kills all processes in the groups, waits until they have ended, and removes the groups (cgroup.kill, Linux 5.14). A
// group whose processes have not ended after `patience` stays; the others are removed.
void kill_and_remove_groups(const std::vector<std::string>& paths, std::chrono::milliseconds patience);
// Says whether the group or a group below it contains processes. Errors: there is no such group.
Result<bool> is_populated(const std::string& path);
// Returns how many processes of the group and of those below it the kernel has killed because memory was over the
// limit; 0 if that can't be read.
std::uint64_t count_oom_kills(const std::string& path);
// Reads a number from a file of a group: the only line if `word` is empty, otherwise the number after `word` at the
// beginning of a line. Errors: those of reading the file; plain text.
Result<std::uint64_t> number_in(const std::string& path, const std::string& word);

// A group with limits. The limited processes are in a group below it, guest_part(). A control group namespace made
// there has guest_part() as its root, so the guest can't reach the files with the limits, no matter who owns the
// group. The directory is locked, and only its owner and root can open it.
class LimitGroup {
 public:
  LimitGroup() = default;
  // Makes the group in `parent`, which must contain no processes or be the root control group. Errors: those of
  // enable_controllers and write_limits; EEXIST. After an error nothing is left.
  static Result<LimitGroup> make(const std::string& parent, const std::string& name, const GroupLimits& limits);
  LimitGroup(LimitGroup&&) noexcept = default;
  LimitGroup& operator=(LimitGroup&&) noexcept = default;
  // Kills the processes in the group and removes it.
  ~LimitGroup();

  const std::string& path() const { return group_.path(); }
  explicit operator bool() const { return !path().empty(); }
  // Gives the group up: somebody else removes it.
  void disown() { group_.clear(); }

 private:
  explicit LimitGroup(const std::string& path) : group_(path, {}) {}
  LockedGroup group_;
};

// Returns the group in which the processes of a limit group are.
std::string guest_part(const std::string& group);

}  // namespace isolate
