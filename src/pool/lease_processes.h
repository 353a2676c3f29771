// The processes of a lease: the isolate that supervises the run, and the guest below it.
#pragma once

#include <cstdint>
#include <optional>

#include "linux/process_table.h"
#include "pool/pool.h"

namespace isolate {

// The isolate that holds a lease. The lease's file contains its pid, which may be reused after it has ended. So it is
// recognised by its user and by the lock that it holds.
class LeaseSupervisor {
 public:
  // `lease_file`: see Pool::open_lease_file. Errors: ESRCH isolate is not found; EACCES this process may not inspect
  // it.
  static Result<LeaseSupervisor> find(const LeaseInfo& info, const Fd& lease_file);

  const HeldProcess& process() const { return process_; }
  // Returns the guest's engine, which is process 1 of a pid namespace, or nothing before it has started. The guest is
  // the engine and its descendants: the kernel makes orphans in a pid namespace children of process 1, and kills them
  // all when process 1 ends.
  Result<std::optional<HeldProcess>> engine(const ProcessTable& table) const;

 private:
  LeaseSupervisor(HeldProcess process, ProcessStatus status)
      : process_(std::move(process)), status_(std::move(status)) {}
  HeldProcess process_;
  ProcessStatus status_;
};

// Keeps the lease's user namespaces, or namespaces below them, alive, so that their numbers are not reused. Sets the
// numbers in `info` to 0 for namespaces without a process. Call it while the lease is held.
Result<std::vector<Fd>> hold_namespaces(LeaseInfo* info);

// Returns the other processes of a lease: those of its user that hold its lock, and those in the user namespaces that
// the daemon made for it. Processes of other users are not included, even if they were given the lock.
Result<std::vector<HeldProcess>> other_processes(const LeaseInfo& info, const Fd& lease_file);

// The resources that a lease's guest uses. A value is missing if it can't be determined.
struct LeaseUsage {
  std::optional<std::uint64_t> cpu_usec;  // microseconds, all processors together
  std::optional<std::uint64_t> memory_bytes;
  std::optional<std::uint64_t> tasks;  // threads
};
LeaseUsage lease_usage(const Pool& pool, const LeaseInfo& info, const ProcessTable& table);

// Returns the resources that the guest below `engine` uses, from the lease's control group if it has one. Otherwise it
// adds up the guest's processes, without those that have ended and were not waited for.
LeaseUsage guest_usage(const std::string& clone_id, pid_t engine, const ProcessTable& table);
// Reads the files of a control group of version 2. Values of missing controllers are missing.
LeaseUsage group_usage(const std::string& group);
// Returns the lease's group in /sys/fs/cgroup, from the text of /proc/PID/cgroup of one of its processes: the group
// named CLONE or *-CLONE. Returns "" if there is none.
std::string group_of_clone(const std::string& proc_cgroup, const std::string& clone_id);

}  // namespace isolate
