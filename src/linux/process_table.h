// Reads from /proc the facts about processes, and which of them descend from a given one. Every user may read this
// about everybody's processes, unless /proc is mounted with hidepid.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <map>
#include <string_view>
#include <vector>

#include "base/fd.h"
#include "base/result.h"

namespace isolate {

// Says whether this process sees all processes of the machine: it is in the initial pid namespace, whose inode number
// is fixed in the kernel (PROC_PID_INIT_INO).
bool is_in_first_pid_namespace();

struct ProcessInfo {
  char state = '?';  // the state letter of proc(5); T: stopped
  pid_t parent = 0;
  std::uint64_t cpu_ticks = 0;  // CPU time in 1/sysconf(_SC_CLK_TCK) seconds, with that of children waited for
  std::uint64_t threads = 0;
};
// Parses the text of /proc/PID/stat (proc(5)), whatever name the process has given itself. Errors: plain text.
Result<ProcessInfo> process_info_from(std::string_view stat);

struct ProcessStatus {
  uid_t uid = 0;                   // the real user id
  std::uint64_t memory_bytes = 0;  // anonymous and shared memory, without mapped files
  std::vector<pid_t> numbers;      // its pids, from this /proc's namespace down to its own
  // Says whether this is process 1 of a pid namespace directly below that of `above`.
  bool is_first_below(const ProcessStatus& above) const {
    return numbers.size() == above.numbers.size() + 1 && numbers.back() == 1;
  }
};
// Returns the value of the line "NAME:" in the text of /proc/PID/status, without leading blanks; "" if there is no such
// line.
std::string_view status_field(std::string_view status, std::string_view name);
// Parses the text of /proc/PID/status. Errors: plain text.
Result<ProcessStatus> process_status_from(std::string_view status);
// Errors: ENOENT or ESRCH, the process has ended.
Result<ProcessStatus> process_status(pid_t pid);

// A process held by a pidfd (pidfd_open(2)). A pid may be reused after its process has ended; a signal through the
// pidfd never reaches another process.
class HeldProcess {
 public:
  // Errors: ESRCH there is no such process.
  static Result<HeldProcess> open(pid_t pid);

  pid_t pid() const { return pid_; }
  bool has_ended() const;
  // Errors: ESRCH the process has ended; EPERM.
  Result<void> signal(int number) const;
  // The same with a negative si_code (sigaction(2)), by which the process can tell where the signal came from.
  Result<void> signal_with_code(int number, int code) const;

 private:
  HeldProcess(pid_t pid, Fd pidfd) : pid_(pid), pidfd_(std::move(pidfd)) {}
  pid_t pid_;
  Fd pidfd_;
};

// A snapshot of all processes. It may or may not contain those that start or end while it is taken.
class ProcessTable {
 public:
  static Result<ProcessTable> read();

  const std::map<pid_t, ProcessInfo>& all() const { return all_; }
  std::vector<pid_t> children_of(pid_t pid) const;
  // Returns the process and all its descendants that are in the snapshot.
  std::vector<pid_t> tree_of(pid_t pid) const;

 private:
  std::map<pid_t, ProcessInfo> all_;
  std::multimap<pid_t, pid_t> children_;
};

}  // namespace isolate
