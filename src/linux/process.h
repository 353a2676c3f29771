// Child processes, created by clone or posix_spawn and held by a pidfd. A ChildProcess kills and reaps its child when
// it is destroyed.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "base/fd.h"
#include "base/result.h"

namespace isolate {

// How a process ended, from the status of wait(2).
struct ExitStatus {
  bool signalled = false;
  int value = 0;  // the exit code, or the number of the signal

  static ExitStatus from_wait_status(int status);
  bool success() const { return !signalled && value == 0; }
  // The status that a shell would report: the exit code, or 128 plus the number of the signal.
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
  // Returns the pid that /proc shows. It differs from pid() if /proc belongs to an outer pid namespace.
  Result<pid_t> pid_in_proc() const;
  int pidfd() const { return pidfd_.get(); }
  bool running() const { return pid_ > 0; }

  // Waits until the process has ended, and reaps it. Afterwards running() is false.
  Result<ExitStatus> wait();
  void signal(int number) const;
  void kill_and_reap();
  // Gives the child up without killing it; from here on somebody else has to wait for it.
  void disown();

 private:
  pid_t pid_ = -1;
  Fd pidfd_;
};

// Runs `body` in a child, which ends with the value that body returns and without running exit handlers. `namespaces`
// are CLONE_NEW* flags of clone(2) (CLONE_PIDFD, Linux 5.2). The kernel kills the child when its parent dies
// (PR_SET_PDEATHSIG). If the flags contain CLONE_PARENT, the child's parent is this process's own parent; then
// `parent_pidfd` has to be a pidfd of that one.
Result<ChildProcess> fork_child(std::uint64_t namespaces, const std::function<int()>& body, int parent_pidfd = -1);
// The same for a child that is born in the control group of version 2 whose directory `group` is (CLONE_INTO_CGROUP,
// Linux 5.7). The kernel checks what it checks for a move to the group, but a move waits for all processors, 1 to 30
// ms. Errors: those of a move; ENOSYS or EPERM a container's filter does not allow clone3(2).
Result<ChildProcess> fork_child_in_group(int group, std::uint64_t namespaces, const std::function<int()>& body);

// Asks the kernel to kill this process when its parent dies. Call it again after a change of user ids, which clears the
// request.
void die_with_parent();
// The same for a child that may have lost its parent already: then it exits at once. `parent_pidfd` is a pidfd that the
// parent opened with own_pidfd(). getppid() can't tell whether the parent lives: in a new pid namespace it is always 0.
void tie_to_parent(int parent_pidfd);
Fd own_pidfd();

struct SpawnFds {
  int in = -1;   // -1: /dev/null
  int out = -1;  // -1: that of this process
  int err = -1;  // -1: that of this process
};

// Starts a program without a shell and with no descriptors but 0, 1 and 2. Signals have their default actions, except
// that the program ignores SIGHUP, SIGINT, SIGQUIT and SIGTERM if this process's caller ignored them. argv[0] without a
// '/' is looked up in this process's PATH. An empty `environment` means this process's own. Errors: ENOENT there is no
// such program.
Result<ChildProcess> spawn(const std::vector<std::string>& argv, const SpawnFds& fds = {},
                           const std::vector<std::string>& environment = {});

// The same for a program that receives `death_signal` when this process dies, at whatever moment that is. A program
// that can't be executed shows as exit status 127.
Result<ChildProcess> spawn_tied(const std::vector<std::string>& argv, const SpawnFds& fds, int death_signal,
                                const std::vector<std::string>& environment = {});

struct Output {
  ExitStatus status;
  std::string out;
  std::string err;
};
constexpr std::size_t kMostOutput = 1 << 20;
// Runs a program to its end with an empty standard input. Keeps at least the first `most` bytes each of its output and
// errors, and drops most of the rest. Calls `started` once, right after the start.
Result<Output> run_program(const std::vector<std::string>& argv, const std::vector<std::string>& environment = {},
                           const std::function<void(const ChildProcess&)>& started = {},
                           std::size_t most = kMostOutput);

// Returns the variables of this process as "NAME=value".
std::vector<std::string> current_environment();
// Returns pointers into `strings`, terminated by a null pointer, as execve(2) needs them.
std::vector<char*> pointer_array(const std::vector<std::string>& strings);

}  // namespace isolate
