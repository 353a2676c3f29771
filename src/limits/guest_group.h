// The limits of one guest, and the control group that enforces them: one group of version 2, or for containers of root
// several of version 1.
#pragma once

#include <optional>
#include <string>

#include "base/steps.h"
#include "limits/group_place.h"
#include "limits/limit_wishes.h"
#include "linux/process.h"

namespace isolate {

// A group to be entered: by its path, or for a lease of the daemon's by a request to the daemon.
struct GroupEntry {
  std::string path;
  std::string lease;  // empty: the path does
};

class GuestGroup {
 public:
  GuestGroup(LimitWishes wishes, bool is_container) : wishes_(std::move(wishes)), is_container_(is_container) {}

  // Chooses the group below which the guest's can be made, before the run makes anything else. Not for a lease from the
  // daemon. For a plan (`plans_alone`) it changes nothing. Errors: a limit that was asked for is not available.
  Result<void> choose_parent(const Caller& caller, bool plans_alone, Steps* steps);
  // Call this instead for a lease from the daemon: returns the limits to ask the daemon for. Errors: as above, if that
  // is known already.
  Result<GroupLimits> for_daemon();

  const GroupLimits& limits() const { return limits_; }
  // Says whether ContainerGroups makes the groups, in version 1, instead of this class.
  bool is_of_version_1() const { return is_of_version_1_; }
  // Describes where the group will be, for people; "" if there are no limits.
  std::string describe() const;

  // Makes the group with the limits. Errors: a limit that was asked for is not available.
  Result<void> make(const std::string& lease, Steps* steps);
  // Call this instead for a lease from the daemon, which has made the group at `path` and moves processes there that
  // ask for it.
  void use(const std::string& path, const std::string& lease);

  // How the guest's first process gets into the group; nothing: there is no group.
  std::optional<GroupEntry> entry() const;

  // Returns the group that contains the guest, in which more groups may be made; "" if there is no group.
  std::string path() const { return path_.empty() ? "" : guest_part(path_); }
  // Says whether the guest's root owns that group: the daemon gives it to a container.
  bool is_given_to_guest() const { return !path_.empty() && !limit_group_; }

  // Logs which default limits the guest lacks. Call it when the command runs.
  void report_missing_limits() const;

  // Removes the groups made here and finds out whether memory ran short. Call it when the whole guest has ended.
  // `out_of_memory`: a group of version 1 has seen an out-of-memory kill.
  void end(bool out_of_memory, Steps* steps);
  // After end(): says whether the kernel has killed a process of the guest for lack of memory.
  bool is_out_of_memory() const { return is_out_of_memory_; }
  // The warning about that, for a command that has ended with this status.
  std::string notice_of_kill(const ExitStatus& command) const;
  // Adds the lack of memory, if there was one, to an error of the engine: it may be the reason.
  Error with_shortage(Error error) const;

 private:
  Result<void> choose(const Caller& caller, bool plans_alone);
  Result<void> make_limits(const std::string& lease);
  void use_available(const GroupLimits& available);
  Result<void> do_without(Error reason);
  std::string shortage() const;

  LimitWishes wishes_;
  bool is_container_;
  GroupLimits limits_;
  bool is_of_version_1_ = false;
  std::string notice_;
  GroupPlace place_;  // declared before limit_group_, so that the group is removed before its place
  LimitGroup limit_group_;
  std::string path_;
  std::string lease_;  // of the daemon, which has made the group; empty: it was made here
  bool is_out_of_memory_ = false;
};

}  // namespace isolate
