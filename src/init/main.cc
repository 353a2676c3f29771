// isolate-init: the first process of a guest. Starts the command, reaps what is left to it, passes signals on, and
// reports the exact end to `isolate`. When it ends, the kernel kills all that is left in its pid namespace.
// Arguments: isolate-init CONTROL_FD CAPABILITIES DIRECTORY COMMAND [ARG...], the capabilities as a hexadecimal mask.
// It is started for every run: no C++ library, and musl, since glibc's start asks the processor what it can do (cpuid),
// which takes a millisecond in a virtual machine.
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/openat2.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "linux/control_socket.h"

namespace {

using isolate::control::Kind;
using isolate::control::Message;

// Nobody is left to tell when the socket is gone, ignoring: then isolate has ended, and this process ends too.
void report(int control, Kind kind, int value) {
  const Message message{kind, value};
  [[maybe_unused]] auto sent = ::send(control, &message, sizeof message, MSG_NOSIGNAL);
}

// Leaves the capabilities in `mask` and nothing else, in the bounding set too. Inheritable and ambient ones would
// survive a change of user in the guest (CVE-2022-24769). False when the kernel refuses.
bool limit_capabilities(unsigned long long mask) {
  __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
  __user_cap_data_struct data[2] = {};
  ::prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
  for (int number = 0; ::prctl(PR_CAPBSET_READ, number, 0, 0, 0) >= 0; ++number) {
    if ((mask >> number & 1) == 0 && ::prctl(PR_CAPBSET_DROP, number, 0, 0, 0) != 0) return false;
  }
  if (::syscall(SYS_capget, &header, data) != 0) return false;
  for (int word = 0; word < 2; ++word) {
    const auto kept = static_cast<unsigned>(mask >> (32 * word));
    data[word].permitted &= kept;
    data[word].effective = data[word].permitted;
    data[word].inheritable = 0;
  }
  return ::syscall(SYS_capset, &header, data) == 0;
}

// Enters the working directory. By now the root is in place and nothing of the host is open any more; a link in /proc
// to an open file would be the only way out, so none is followed. 0 or errno.
int enter_directory(const char* path) {
  open_how how = {};
  how.flags = O_PATH | O_DIRECTORY | O_CLOEXEC;
  how.resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS;
  const int root = ::open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
  const auto directory = static_cast<int>(::syscall(SYS_openat2, root, path, &how, sizeof how));
  if (directory < 0 || ::fchdir(directory) != 0) return errno;
  ::close(directory);
  ::close(root);
  char where[4096];
  // "(unreachable)" stands before the path of a directory outside.
  const long length = ::syscall(SYS_getcwd, where, sizeof where);
  return length > 0 && where[0] == '/' ? 0 : EXDEV;
}

// True if `command` names an existing file, directly or in a directory of PATH.
bool exists(const char* command) {
  if (strchr(command, '/') != nullptr) return ::access(command, F_OK) == 0;
  const char* path = getenv("PATH");
  for (const char* start = path; start != nullptr && *start != 0;) {
    const char* end = strchrnul(start, ':');
    char full[4096];
    const auto length = static_cast<size_t>(end - start);
    if (length + strlen(command) + 2 <= sizeof full) {
      memcpy(full, start, length);
      full[length] = '/';
      memcpy(full + length + 1, command, strlen(command) + 1);
      if (::access(full, F_OK) == 0) return true;
    }
    start = *end == 0 ? end : end + 1;
  }
  return false;
}

// Starts the command in a child that shares memory until execve: the child's errno is seen here. 0 is success.
int start(int control, char** command, pid_t* pid) {
  volatile int exec_error = 0;
  // Shared memory is what is wanted here, and the child does nothing but system calls until execve.
  // NOLINTBEGIN(clang-analyzer-security.insecureAPI.vfork,clang-analyzer-unix.Vfork)
  const pid_t child = ::vfork();
  if (child < 0) return errno;
  if (child == 0) {
    for (int number = 1; number < NSIG; ++number) {
      if (number != SIGKILL && number != SIGSTOP) ::signal(number, SIG_DFL);
    }
    sigset_t none;
    sigemptyset(&none);
    ::sigprocmask(SIG_SETMASK, &none, nullptr);
    report(control, Kind::pid, 0);
    ::execvp(command[0], command);
    exec_error = errno;
    ::_exit(127);
  }
  // NOLINTEND(clang-analyzer-security.insecureAPI.vfork,clang-analyzer-unix.Vfork)
  *pid = child;
  // The file is there and yet "not found": its interpreter is what is missing.
  if (exec_error == ENOENT && exists(command[0])) return ELIBACC;
  return exec_error;
}

// Reaps every child that has ended. True when the command is among them.
bool reap(pid_t command, int* status) {
  bool ended = false;
  int one_status = 0;
  pid_t pid = 0;
  while ((pid = ::waitpid(-1, &one_status, WNOHANG)) > 0) {
    if (pid != command) continue;
    *status = one_status;
    ended = true;
  }
  return ended;
}

// Passes on what isolate asks for. False when isolate is gone.
bool obey(int control, pid_t command) {
  Message message{};
  const ssize_t got = ::recv(control, &message, sizeof message, 0);
  if (got < 0) return errno == EINTR || errno == EAGAIN;
  if (got == static_cast<ssize_t>(sizeof message) && message.kind == Kind::signal) ::kill(command, message.value);
  return got > 0;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 5) return 125;
  const int control = atoi(argv[1]);
  ::prctl(PR_SET_NAME, "isolate-init");
  ::unsetenv("PWD");  // bwrap sets it, to a directory that is left again at once
  // The guest must not take the control socket from this process, nor reach the host's file that it was started from.
  ::prctl(PR_SET_DUMPABLE, 0);
  ::close(isolate::control::kInitFd);
  ::dup2(isolate::control::kErrorFd, STDERR_FILENO);
  ::close(isolate::control::kErrorFd);
  ::fcntl(control, F_SETFD, FD_CLOEXEC);
  if (!limit_capabilities(strtoull(argv[2], nullptr, 16))) {
    report(control, Kind::failed, EPERM);
    return 125;
  }

  if (const int error = enter_directory(argv[3]); error != 0) {
    report(control, Kind::no_directory, error);
    return 125;
  }

  sigset_t all;
  sigfillset(&all);
  ::sigprocmask(SIG_SETMASK, &all, nullptr);
  ::signal(SIGCHLD, SIG_DFL);
  sigset_t child_signals;
  sigemptyset(&child_signals);
  sigaddset(&child_signals, SIGCHLD);
  const int signals = ::signalfd(-1, &child_signals, SFD_CLOEXEC | SFD_NONBLOCK);

  pid_t command = -1;
  const int error = start(control, argv + 4, &command);
  if (error != 0) {
    report(control, Kind::failed, error);
    return 127;
  }
  report(control, Kind::started, 0);

  int status = 0;
  pollfd sources[] = {{control, POLLIN, 0}, {signals, POLLIN, 0}};
  while (true) {
    ::poll(sources, 2, -1);
    if (sources[1].revents != 0) {
      signalfd_siginfo ignored[8];
      [[maybe_unused]] auto drained = ::read(signals, ignored, sizeof ignored);
      if (reap(command, &status)) break;
    }
    if (sources[0].revents != 0 && !obey(control, command)) return 125;
  }
  report(control, Kind::ended, status);
  return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}
