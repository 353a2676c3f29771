// The processes of a lease: isolate, which supervises the run, and the guest below it.
#pragma once

#include <cstdint>
#include <optional>

#include "linux/process_table.h"
#include "pool/pool.h"

namespace isolate {

// The isolate that holds a lease. Its number is in the lease's file, and is another process's once it has ended: what
// tells is that it belongs to the lease's user and holds the lock.
class LeaseSupervisor {
 public:
  // `lease_file`: see Pool::open_lease. Errors: ESRCH it can't be found; EACCES it can't be looked at.
  static Result<LeaseSupervisor> find(const LeaseInfo& info, const Fd& lease_file);

  const HeldProcess& process() const { return process_; }
  // The guest's engine, process 1 of a pid namespace: all that descends from it is the guest, as the kernel gives
  // orphans of a pid namespace to its process 1, and kills all when that ends. Nothing while there is none.
  Result<std::optional<HeldProcess>> engine(const ProcessTable& table) const;

 private:
  LeaseSupervisor(HeldProcess process, ProcessStatus status)
      : process_(std::move(process)), status_(std::move(status)) {}
  HeldProcess process_;
  ProcessStatus status_;
};

// Keeps the lease's user namespaces, or namespaces below them, and so their numbers: the kernel gives a number away
// again as soon as its namespace is gone. Those in which no process is are 0 in `info` afterwards. Ask while the lease
// is held.
Result<std::vector<Fd>> hold_namespaces(LeaseInfo* info);

// Whatever else belongs to a lease: processes of its user that hold its lock, and all that are in the user namespaces
// that the daemon has made for it. Nobody else's are among them, also if they were given the lock.
Result<std::vector<HeldProcess>> other_processes(const LeaseInfo& info, const Fd& lease_file);

// What the guest of a lease uses; nothing where that can't be had.
struct LeaseUsage {
  std::optional<std::uint64_t> cpu_usec;  // microseconds, all processors together
  std::optional<std::uint64_t> memory_bytes;
  std::optional<std::uint64_t> tasks;  // threads
};
LeaseUsage lease_usage(const Pool& pool, const LeaseInfo& info, const ProcessTable& table);

// Of a guest, by its engine: told by the control group of the lease where it has one, otherwise summed up over its
// processes, without those that have ended and that nobody has waited for.
LeaseUsage guest_usage(const std::string& clone_id, pid_t engine, const ProcessTable& table);
// What the files of a control group of version 2 say; what its controllers don't tell is missing.
LeaseUsage group_usage(const std::string& group);
// The group of the lease, below /sys/fs/cgroup, that a process with this /proc/PID/cgroup is in: one named after the
// clone, CLONE or ending in -CLONE. Empty: there is none.
std::string group_of_clone(const std::string& proc_cgroup, const std::string& clone_id);

}  // namespace isolate
