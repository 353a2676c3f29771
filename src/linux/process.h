// Child processes: made by clone3 or posix_spawn, held by a pidfd, killed and reaped when their owner goes.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "base/fd.h"
#include "base/result.h"

namespace isolate {

// How a process ended, as wait(2) tells it.
struct ExitStatus {
  bool signalled = false;
  int value = 0;  // exit code, or the signal's number

  static ExitStatus from_wait_status(int status);
  bool success() const { return !signalled && value == 0; }
  // What a shell would report: the code, or 128 plus the signal.
  int shell_code() const { return signalled ? 128 + value : value; }
  std::string describe() const;  // "exit status 3", "signal 9"
};

class ChildProcess {
 public:
  ChildProcess() = default;
  ChildProcess(pid_t pid, Fd pidfd) : pid_(pid), pidfd_(std::move(pidfd)) {}
  ChildProcess(ChildProcess&& other) noexcept;
  ChildProcess& operator=(ChildProcess&& other) noexcept;
  ChildProcess(const ChildProcess&) = delete;
  ChildProcess& operator=(const ChildProcess&) = delete;
  ~ChildProcess() { kill_and_reap(); }

  pid_t pid() const { return pid_; }
  // The pid as /proc shows it, which may be that of an outer pid namespace.
  Result<pid_t> pid_in_proc() const;
  int pidfd() const { return pidfd_.get(); }
  bool running() const { return pid_ > 0; }

  // Waits for the end. Afterwards running() is false.
  Result<ExitStatus> wait();
  void signal(int number) const;
  void kill_and_reap();

 private:
  pid_t pid_ = -1;
  Fd pidfd_;
};

// Runs `body` in a child and ends it with what body returns, without running exit handlers. `namespaces` are CLONE_NEW*
// flags of clone(2) (clone3, Linux 5.3). The child dies with its parent (PR_SET_PDEATHSIG).
Result<ChildProcess> fork_child(std::uint64_t namespaces, const std::function<int()>& body);

// The same, but the child works in this process's memory while this process stands still, until the child executes a
// program or ends (as with vfork(2)): nothing is copied. For a child that is to become another program.
// In a build with sanitizers, which do not follow that, it is fork_child.
Result<ChildProcess> fork_to_execute(const std::function<int()>& body, std::uint64_t namespaces = 0);

// How many processes a user namespace and all below it may have together, whatever their users inside. The kernel
// counts those of all namespaces that one id of the parent namespace has made.
struct ProcessLimit {
  std::uint64_t most = UINT64_MAX;          // no limit
  std::optional<std::uint32_t> counted_as;  // make it as this id, which takes CAP_SETUID; otherwise as the caller's
};

// A child in a new user namespace that does nothing but wait to be killed.
Result<ChildProcess> fork_namespace_holder(const ProcessLimit& processes = {});

// Asks the kernel to kill this process when its parent ends; must be asked again after a change of user ids.
void die_with_parent();

struct SpawnFds {
  int in = -1;   // -1: /dev/null
  int out = -1;  // -1: the caller's own
  int err = -1;  // -1: the caller's own
};

// Starts a program without a shell, default signal actions, no descriptors but 0, 1 and 2. argv[0] is looked up in PATH
// of this process unless it has a '/'. An empty `environment` means the caller's own.
Result<ChildProcess> spawn(const std::vector<std::string>& argv, const SpawnFds& fds = {},
                           const std::vector<std::string>& environment = {});

struct Output {
  ExitStatus status;
  std::string out;
  std::string err;
};
// Runs a program to its end with an empty standard input, and keeps the first MiB of what it prints.
Result<Output> run_program(const std::vector<std::string>& argv);

// Gives this process the default action for every signal and blocks none, as a program expects it at its start.
void reset_signals();

// "PATH=/bin" for each variable of this process.
std::vector<std::string> current_environment();
// Pointers into `strings`, ended by a null pointer, as execve wants them.
std::vector<char*> pointer_array(const std::vector<std::string>& strings);

}  // namespace isolate
