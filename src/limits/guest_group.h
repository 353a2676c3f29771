// The limits of one guest as a whole, and the control group that has them: one of version 2, or for root's containers
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

  // Before anything is made for a run that is not to be: the place where the limits can be. Not for a lease of the
  // daemon's. A plan alone changes nothing. Errors: what was asked for is not to be had.
  Result<void> find_place(const Caller& caller, bool plans_alone, Steps* steps);
  // Instead: what the daemon is to be asked for. Errors: as above, where that is known already.
  Result<GroupLimits> for_daemon();

  const GroupLimits& limits() const { return limits_; }
  // Whether groups of version 1 are to have them, which are not made here.
  bool is_of_version_1() const { return is_of_version_1_; }
  // Where the group is to be, for people; empty: there are no limits.
  std::string describe() const;

  // Makes the group that the limits take. Errors: they can't be had.
  Result<void> make(const std::string& lease, Steps* steps);
  // Instead: the daemon has made the group for the lease, and moves processes there that ask for it.
  void use(const std::string& path, const std::string& lease);

  // How the guest's first process gets into the group; nothing: no group was made.
  std::optional<GroupEntry> entry() const;

  // Where the guest is to be, below which more groups may be made; empty: no group was made.
  std::string path() const { return path_.empty() ? "" : guest_part(path_); }
  // Whether that belongs to the guest's root: the daemon gives it to a container.
  bool is_given_to_guest() const { return !path_.empty() && !limit_group_; }

  // When the command runs: what its guest does not have, though nobody asked for that.
  void report_missing_limits() const;

  // When all of the guest has ended: removes the groups that were made here. `out_of_memory`: a group of version 1 has
  // seen that.
  void end(bool out_of_memory, Steps* steps);
  // After that: whether the kernel has killed something for its memory.
  bool is_out_of_memory() const { return is_out_of_memory_; }
  // What is told of that when the command has ended so.
  std::string notice_of_kill(const ExitStatus& command) const;
  // An error of the engine's, for which that may be the reason.
  Error explained(Error error) const;

 private:
  Result<void> choose(const Caller& caller, bool plans_alone);
  Result<void> make_limits(const std::string& lease);
  void take(const GroupLimits& available);
  Result<void> do_without(Error reason);
  std::string shortage() const;

  LimitWishes wishes_;
  bool is_container_;
  GroupLimits limits_;
  bool is_of_version_1_ = false;
  std::string notice_;
  GroupPlace place_;  // what is made there goes before it
  LimitGroup limit_group_;
  std::string path_;
  std::string lease_;  // of the daemon, which has made the group; empty: it was made here
  bool is_out_of_memory_ = false;
};

}  // namespace isolate
