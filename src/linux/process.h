// Child processes: made by clone or posix_spawn, held by a pidfd, killed and reaped when their owner goes.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <functional>
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
  // Somebody else waits for it from here on.
  void disown();

 private:
  pid_t pid_ = -1;
  Fd pidfd_;
};

// Runs `body` in a child and ends it with what body returns, without running exit handlers. `namespaces` are CLONE_NEW*
// flags of clone(2) (CLONE_PIDFD, Linux 5.2). The child dies with its parent (PR_SET_PDEATHSIG). With CLONE_PARENT
// among the flags that is this process's parent, of which `parent_pidfd` is a descriptor.
Result<ChildProcess> fork_child(std::uint64_t namespaces, const std::function<int()>& body, int parent_pidfd = -1);

// Asks the kernel to kill this process when its parent ends; must be asked again after a change of user ids.
void die_with_parent();
// The same for a child, which dies at once if the parent has already; `parent_pidfd` was opened by the parent with
// own_pidfd(): in a new pid namespace getppid() tells nothing.
void tie_to_parent(int parent_pidfd);
Fd own_pidfd();

struct SpawnFds {
  int in = -1;   // -1: /dev/null
  int out = -1;  // -1: the caller's own
  int err = -1;  // -1: the caller's own
};

// Starts a program without a shell, default signal actions, no descriptors but 0, 1 and 2. argv[0] is looked up in PATH
// of this process unless it has a '/'. An empty `environment` means the caller's own.
Result<ChildProcess> spawn(const std::vector<std::string>& argv, const SpawnFds& fds = {},
                           const std::vector<std::string>& environment = {});

// The same for a program that gets `death_signal` when this process ends, however early. One that can't be executed
// ends with exit status 127.
Result<ChildProcess> spawn_tied(const std::vector<std::string>& argv, const SpawnFds& fds, int death_signal);

struct Output {
  ExitStatus status;
  std::string out;
  std::string err;
};
// Runs a program to its end with an empty standard input, and keeps the first MiB of what it prints. `started` is
// called while it runs.
Result<Output> run_program(const std::vector<std::string>& argv, const std::vector<std::string>& environment = {},
                           const std::function<void(const ChildProcess&)>& started = {});

// "PATH=/bin" for each variable of this process.
std::vector<std::string> current_environment();
// Pointers into `strings`, ended by a null pointer, as execve wants them.
std::vector<char*> pointer_array(const std::vector<std::string>& strings);

}  // namespace isolate
