// What /proc tells of processes, and which of them descend from one. That is everybody's to read, whoever they belong
// to, unless /proc is mounted with hidepid.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <map>
#include <string_view>
#include <vector>

#include "base/fd.h"
#include "base/result.h"

namespace isolate {

// Whether this process sees all of the machine's: it is in the first pid namespace, which the kernel gives a number of
// its own (PROC_PID_INIT_INO).
bool is_in_first_pid_namespace();

struct ProcessInfo {
  char state = '?';  // as proc(5) has it; T: stopped
  pid_t parent = 0;
  std::uint64_t cpu_ticks = 0;  // used so far, in 1/sysconf(_SC_CLK_TCK) seconds, with those of waited-for children
  std::uint64_t threads = 0;
};
// Of the text of /proc/PID/stat (proc(5)); whatever the process is called. Errors: plain text.
Result<ProcessInfo> process_info_from(std::string_view stat);

struct ProcessStatus {
  uid_t uid = 0;                   // real
  std::uint64_t memory_bytes = 0;  // what is its own: anonymous and shared memory, without files
  std::vector<pid_t> numbers;      // its pids, from the namespace of this /proc to its own
  // Whether it is process 1 of a pid namespace right below that of `above`.
  bool is_first_below(const ProcessStatus& above) const {
    return numbers.size() == above.numbers.size() + 1 && numbers.back() == 1;
  }
};
// Of the text of /proc/PID/status: what stands behind "NAME:" in a line of its own, without blanks in front; empty:
// none.
std::string_view status_field(std::string_view status, std::string_view name);
// Errors: plain text.
Result<ProcessStatus> process_status_from(std::string_view status);
// Errors: ENOENT, ESRCH it has ended.
Result<ProcessStatus> process_status(pid_t pid);

// A process held by a descriptor (pidfd_open(2)): its number may be another one's once it has ended, and then a signal
// to it goes to nobody.
class HeldProcess {
 public:
  // Errors: ESRCH there is none.
  static Result<HeldProcess> open(pid_t pid);

  pid_t pid() const { return pid_; }
  bool has_ended() const;
  // Errors: ESRCH it has ended; EPERM.
  Result<void> signal(int number) const;

 private:
  HeldProcess(pid_t pid, Fd pidfd) : pid_(pid), pidfd_(std::move(pidfd)) {}
  pid_t pid_;
  Fd pidfd_;
};

// All processes at one time. One that ends meanwhile may be there or not.
class ProcessTable {
 public:
  static Result<ProcessTable> read();

  const std::map<pid_t, ProcessInfo>& all() const { return all_; }
  std::vector<pid_t> children_of(pid_t pid) const;
  // The process and all that descend from it, as far as they are there.
  std::vector<pid_t> tree_of(pid_t pid) const;

 private:
  std::map<pid_t, ProcessInfo> all_;
  std::multimap<pid_t, pid_t> children_;
};

}  // namespace isolate
