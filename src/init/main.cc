// isolate-init: the first process of a guest. Starts the command with its limits, terminal and seccomp filters, reaps
// what is left to it, passes signals on, and reports stops and the exact end to `isolate`. When it ends, the kernel
// kills all that is left in its pid namespace.
// Arguments: isolate-init DIRECTORY COMMAND [ARG...]; all else comes in a file in memory, see linux/init_protocol.h.
// It is started for every run: no C++ library, and musl, since glibc's start asks the processor what it can do (cpuid),
// which takes a millisecond in a virtual machine.
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/openat2.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "linux/init_protocol.h"
#include "linux/signal_reset.h"

namespace {

using namespace isolate::protocol;
using isolate::reset_signals;

// Nobody is left to tell when the socket is gone, ignoring: then isolate has ended, and this process ends too.
void report(Kind kind, int value) {
  const Message message{kind, value};
  [[maybe_unused]] auto sent = ::send(kControlFd, &message, sizeof message, MSG_NOSIGNAL);
}

// Sends a descriptor along. 0 or errno.
int report_with(Kind kind, int descriptor) {
  Message message{kind, 0};
  iovec data = {&message, sizeof message};
  alignas(cmsghdr) char space[CMSG_SPACE(sizeof descriptor)] = {};
  msghdr header = {};
  header.msg_iov = &data;
  header.msg_iovlen = 1;
  header.msg_control = space;
  header.msg_controllen = sizeof space;
  cmsghdr* control = CMSG_FIRSTHDR(&header);
  control->cmsg_level = SOL_SOCKET;
  control->cmsg_type = SCM_RIGHTS;
  control->cmsg_len = CMSG_LEN(sizeof descriptor);
  memcpy(CMSG_DATA(control), &descriptor, sizeof descriptor);
  return ::sendmsg(kControlFd, &header, MSG_NOSIGNAL) < 0 ? errno : 0;
}

// The setup as isolate wrote it; null when it can not be read.
const Setup* read_setup() {
  struct stat status = {};
  if (::fstat(kSetupFd, &status) != 0 || static_cast<size_t>(status.st_size) < sizeof(Setup)) return nullptr;
  void* memory = ::mmap(nullptr, static_cast<size_t>(status.st_size), PROT_READ, MAP_PRIVATE, kSetupFd, 0);
  ::close(kSetupFd);
  return memory == MAP_FAILED ? nullptr : static_cast<const Setup*>(memory);
}

// The environment of the command, which this process takes on. False without memory.
bool take_environment(const Setup& setup) {
  const auto* text = reinterpret_cast<const char*>(&setup + 1);
  for (unsigned i = 0; i < setup.filters; ++i) text += setup.filter_length[i] * sizeof(sock_filter);
  auto** variables = static_cast<char**>(calloc(setup.variables + 1, sizeof(char*)));
  if (variables == nullptr) return false;
  for (unsigned i = 0; i < setup.variables; ++i) {
    variables[i] = const_cast<char*>(text);
    text += strlen(text) + 1;
  }
  environ = variables;
  return true;
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

// Makes this process the leader of a session with a new terminal of the guest's own, as 0, 1 and 2; the other side goes
// to isolate. 0 or errno.
int open_terminal() {
  const int control_side = ::open("/dev/ptmx", O_RDWR | O_NOCTTY | O_CLOEXEC);
  if (control_side < 0) return errno;
  const int unlocked = 0;
  if (::ioctl(control_side, TIOCSPTLCK, &unlocked) != 0) return errno;
  // By the open file, not by a name.
  const int terminal = ::ioctl(control_side, TIOCGPTPEER, O_RDWR | O_NOCTTY);
  if (terminal < 0) return errno;
  if (const int error = report_with(Kind::terminal, control_side); error != 0) return error;
  ::close(control_side);
  ::setsid();
  if (::ioctl(terminal, TIOCSCTTY, 0) != 0) return errno;
  for (int number = STDIN_FILENO; number <= STDERR_FILENO; ++number) {
    if (::dup2(terminal, number) < 0) return errno;
  }
  if (terminal > STDERR_FILENO) ::close(terminal);
  return 0;
}

// In the command's process, just before it executes: nothing of the template has run in it. 0 or errno.
int apply(const Setup& setup) {
  for (unsigned i = 0; i < setup.limits; ++i) {
    const rlimit limit = {setup.limit[i].value, setup.limit[i].value};
    if (::setrlimit(setup.limit[i].resource, &limit) != 0) return errno;
  }
  if (setup.own_group != 0) ::setpgid(0, 0);
  // From behind the foreground this would stop the process, were the signal not blocked here.
  if (setup.own_terminal != 0 && ::tcsetpgrp(STDIN_FILENO, ::getpid()) != 0) return errno;
  const auto* instructions = reinterpret_cast<const sock_filter*>(&setup + 1);
  for (unsigned i = 0; i < setup.filters; ++i) {
    sock_fprog program = {};
    program.len = static_cast<unsigned short>(setup.filter_length[i]);
    program.filter = const_cast<sock_filter*>(instructions);
    if (::syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program) != 0) return errno;
    instructions += setup.filter_length[i];
  }
  return 0;
}

struct StartErrors {
  int setup = 0;
  int exec = 0;
};

// Starts the command in a child that shares memory until execve: the child's errors are seen here.
StartErrors start(const Setup& setup, char** command, pid_t* pid) {
  volatile int setup_error = 0;
  volatile int exec_error = 0;
  // Shared memory is what is wanted here, and the child does nothing but system calls until execve.
  // NOLINTBEGIN(clang-analyzer-security.insecureAPI.vfork,clang-analyzer-unix.Vfork)
  const pid_t child = ::vfork();
  if (child < 0) return {0, errno};
  if (child == 0) {
    report(Kind::pid, 0);
    setup_error = apply(setup);
    if (setup_error == 0) {
      reset_signals();
      ::execvp(command[0], command);
      exec_error = errno;
    }
    ::_exit(127);
  }
  // NOLINTEND(clang-analyzer-security.insecureAPI.vfork,clang-analyzer-unix.Vfork)
  *pid = child;
  // The file is there and yet "not found": its interpreter is what is missing.
  if (exec_error == ENOENT && exists(command[0])) exec_error = ELIBACC;
  return {setup_error, exec_error};
}

// Reaps every child that has ended, and tells when the command has stopped or goes on. True when the command has ended.
bool reap(pid_t command, int* status) {
  bool ended = false;
  int one_status = 0;
  pid_t pid = 0;
  while ((pid = ::waitpid(-1, &one_status, WNOHANG | WUNTRACED | WCONTINUED)) > 0) {
    if (pid != command) continue;
    if (WIFSTOPPED(one_status) || WIFCONTINUED(one_status)) {
      report(WIFSTOPPED(one_status) ? Kind::stopped : Kind::continued, 0);
      continue;
    }
    *status = one_status;
    ended = true;
  }
  return ended;
}

// Passes on what isolate asks for. False when isolate is gone.
bool obey(const Setup& setup, pid_t command) {
  Message message{};
  const ssize_t got = ::recv(kControlFd, &message, sizeof message, MSG_TRUNC);
  if (got < 0) return errno == EINTR || errno == EAGAIN;
  if (got != static_cast<ssize_t>(sizeof message) || message.kind != Kind::signal) return got > 0;
  // A group of the command's own was stopped as a whole, and lost the terminal's foreground.
  const bool continues_group = message.value == SIGCONT && setup.own_group != 0;
  if (continues_group && setup.own_terminal != 0) ::tcsetpgrp(STDIN_FILENO, command);
  ::kill(continues_group ? -command : command, message.value);
  return true;
}

// Confines this process and makes it the init of the guest's system, which has nothing of the caller's.
int become(const Setup& setup, char** command) {
  ::close(kControlFd);
  const int null = ::open("/dev/null", O_RDWR);
  for (int number = STDIN_FILENO; number <= STDERR_FILENO; ++number) ::dup2(null, number);
  if (null > STDERR_FILENO) ::close(null);
  if (apply(setup) != 0) return 125;
  reset_signals();
  ::execv(command[0], command);
  return 127;
}

int fail(Kind kind, int error, int status) {
  report(kind, error);
  return status;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 3) return 125;
  ::prctl(PR_SET_NAME, "isolate-init");
  // The guest must not take the control socket from this process, nor reach the host's file that it was started from.
  ::prctl(PR_SET_DUMPABLE, 0);
  ::close(kProgramFd);
  ::dup2(kErrorFd, STDERR_FILENO);
  ::close(kErrorFd);
  ::fcntl(kControlFd, F_SETFD, FD_CLOEXEC);
  const Setup* setup = read_setup();
  if (setup == nullptr) return fail(Kind::no_setup, EBADF, 125);
  if (!take_environment(*setup)) return fail(Kind::no_setup, ENOMEM, 125);
  if (!limit_capabilities(setup->capabilities)) return fail(Kind::no_setup, EPERM, 125);
  if (const int error = enter_directory(argv[1]); error != 0) return fail(Kind::no_directory, error, 125);
  if (setup->role == Role::becomes) return become(*setup, argv + 2);
  if (setup->role == Role::beside) ::prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);

  sigset_t all;
  sigfillset(&all);
  ::sigprocmask(SIG_SETMASK, &all, nullptr);
  ::signal(SIGCHLD, SIG_DFL);
  sigset_t child_signals;
  sigemptyset(&child_signals);
  sigaddset(&child_signals, SIGCHLD);
  const int signals = ::signalfd(-1, &child_signals, SFD_CLOEXEC | SFD_NONBLOCK);
  if (setup->own_terminal != 0) {
    if (const int error = open_terminal(); error != 0) return fail(Kind::no_setup, error, 125);
  }

  pid_t command = -1;
  const StartErrors errors = start(*setup, argv + 2, &command);
  if (errors.setup != 0) return fail(Kind::no_setup, errors.setup, 125);
  if (errors.exec != 0) return fail(Kind::failed, errors.exec, 127);
  report(Kind::started, 0);

  int status = 0;
  pollfd sources[] = {{kControlFd, POLLIN, 0}, {signals, POLLIN, 0}};
  while (true) {
    ::poll(sources, 2, -1);
    if (sources[1].revents != 0) {
      signalfd_siginfo ignored[8];
      [[maybe_unused]] auto drained = ::read(signals, ignored, sizeof ignored);
      if (reap(command, &status)) break;
    }
    if (sources[0].revents != 0 && !obey(*setup, command)) return 125;
  }
  report(Kind::ended, status);
  return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}
