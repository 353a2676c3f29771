// The control group of one guest: the one with its limits.
#pragma once

#include <functional>
#include <optional>
#include <string>

#include "linux/cgroup.h"
#include "linux/process.h"
#include "run/group_place.h"
#include "run/plan.h"
#include "run/steps.h"

namespace isolate {

class GuestGroup {
 public:
  explicit GuestGroup(const GroupLimits& limits) : limits_(limits) {}

  // Before anything is made for a run that is not to be: the place where the limits can be. Not for a lease of the
  // daemon's. A plan alone changes nothing.
  Result<void> find_place(const Caller& caller, bool plans_alone, Steps* steps);
  // Where the group is to be, for people; empty: there are no limits.
  std::string describe() const { return limits_.any() ? place_.describe() : ""; }

  // Makes the group that the limits take. Errors: they can't be had.
  Result<void> make(const RunPlan& plan, Steps* steps);
  // Instead: the daemon has made the one with the limits, and `enter` asks it to move this process there.
  void use(const std::string& path, std::function<Result<void>()> enter);

  // Moves the calling process into the group that it is to be in; null: none was made.
  const std::function<Result<void>()>* enter() const { return enter_ ? &enter_ : nullptr; }

  // Where the guest is to be, below which more groups may be made; empty: no group was made.
  std::string path() const { return limit_group_ ? guest_part(path_) : ""; }

  // When all of the guest has ended: removes the groups that were made here.
  void end(Steps* steps);
  // After that: whether the kernel has killed something for its memory.
  bool is_out_of_memory() const { return is_out_of_memory_; }
  // What is told of that when the command has ended so.
  std::string notice_of_kill(const ExitStatus& command) const;
  // An error of the engine's, for which that may be the reason.
  Error explained(Error error) const;

 private:
  GroupLimits limits_;
  GroupPlace place_;  // what is made there goes before it
  LimitGroup limit_group_;
  std::string path_;
  std::function<Result<void>()> enter_;
  bool is_out_of_memory_ = false;
};

}  // namespace isolate
