#include "init/command.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/openat2.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "init/program.h"
#include "init/user.h"

namespace isolate::init {

using namespace protocol;

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
  // For a directory outside the root, the system call getcwd puts "(unreachable)" before the path (getcwd(3)).
  const long length = ::syscall(SYS_getcwd, where, sizeof where);
  return length > 0 && where[0] == '/' ? 0 : EXDEV;
}

namespace {

// Waits until isolate has set the size and the modes of the new terminal, so that the command finds them set when it
// starts. Returns 0 or errno.
int wait_for_terminal(int socket) {
  Received received;
  ssize_t got = 0;
  do {
    got = receive(socket, &received);
    close_descriptors(received);
  } while (got > 0 && received.message.kind != Kind::terminal);
  return got > 0 ? received.message.value : EPIPE;
}

}  // namespace

int open_terminal(int socket, bool as_error) {
  const int control_side = ::open("/dev/ptmx", O_RDWR | O_NOCTTY | O_CLOEXEC);
  if (control_side < 0) return errno;
  const int unlocked = 0;
  if (::ioctl(control_side, TIOCSPTLCK, &unlocked) != 0) return errno;
  // TIOCGPTPEER (ioctl_tty(2)) opens the other side of this very terminal. A path in /dev/pts could lead elsewhere,
  // since the root is the guest's.
  const int terminal = ::ioctl(control_side, TIOCGPTPEER, O_RDWR | O_NOCTTY);
  if (terminal < 0) return errno;
  if (const int error = report_with(socket, Kind::terminal, control_side); error != 0) return error;
  ::close(control_side);
  ::setsid();
  if (::ioctl(terminal, TIOCSCTTY, 0) != 0) return errno;
  for (int number = STDIN_FILENO; number <= (as_error ? STDERR_FILENO : STDOUT_FILENO); ++number) {
    if (::dup2(terminal, number) < 0) return errno;
  }
  if (terminal > STDERR_FILENO) ::close(terminal);
  return wait_for_terminal(socket);
}

int apply(const Command& command) {
  const Setup& setup = *command.setup;
  for (unsigned i = 0; i < setup.limits; ++i) {
    const rlimit limit = {setup.limit[i].value, setup.limit[i].value};
    if (::setrlimit(setup.limit[i].resource, &limit) != 0) return errno;
  }
  if (command.own_group) ::setpgid(0, 0);
  // The process is in a background group here, so the kernel would send it SIGTTOU and stop it. All signals are blocked
  // at this point, and then tcsetpgrp(3) succeeds.
  return command.own_terminal && ::tcsetpgrp(STDIN_FILENO, ::getpid()) != 0 ? errno : 0;
}

int install_filters(const Setup& setup) {
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

namespace {

struct StartErrors {
  int setup = 0;
  int user = 0;
  int exec = 0;
};

// Starts the command with vfork(2). The child shares memory with this process until execve(2), so it can leave its
// errors in variables.
StartErrors start_process(Command* command) {
  volatile int setup_error = 0;
  volatile int user_error = 0;
  volatile int exec_error = 0;
  // The static analyzer warns about vfork. Here the shared memory is wanted, and the child makes only system calls.
  //
  // NOLINTBEGIN(clang-analyzer-security.insecureAPI.vfork,clang-analyzer-unix.Vfork)
  const pid_t child = ::vfork();
  if (child < 0) return {0, 0, errno};
  if (child == 0) {
    report(command->socket, Kind::pid, 0);
    setup_error = apply(*command);
    // Do this after the limits, which hold for the new namespace as well, and before the filters, which may refuse it.
    if (setup_error == 0 && command->setup->has_user != 0) user_error = become_user(*command->setup);
    if (setup_error == 0 && user_error == 0) setup_error = install_filters(*command->setup);
    if (setup_error == 0 && user_error == 0) {
      reset_signals(command->signals);
      exec_error = execute(command->arguments);
    }
    ::_exit(127);
  }
  // NOLINTEND(clang-analyzer-security.insecureAPI.vfork,clang-analyzer-unix.Vfork)
  command->pid = child;
  return {setup_error, user_error, exec_error};
}

}  // namespace

bool start(Command* command) {
  const StartErrors errors = start_process(command);
  if (errors.setup != 0) {
    report(command->socket, Kind::no_setup, errors.setup);
  } else if (errors.user != 0) {
    report(command->socket, Kind::no_user, errors.user);
  } else if (errors.exec != 0) {
    report(command->socket, Kind::failed, errors.exec);
  } else {
    report(command->socket, Kind::started, 0);
    return true;
  }
  return false;
}

bool reap(const Command& command, int* status, void (*other_changed)(pid_t, int)) {
  bool ended = false;
  int one_status = 0;
  pid_t pid = 0;
  while ((pid = ::waitpid(-1, &one_status, WNOHANG | WUNTRACED | WCONTINUED)) > 0) {
    const bool goes_on = WIFSTOPPED(one_status) || WIFCONTINUED(one_status);
    if (pid != command.pid) {
      if (other_changed != nullptr) other_changed(pid, one_status);
      continue;
    }
    if (goes_on) {
      report(command.socket, WIFSTOPPED(one_status) ? Kind::stopped : Kind::continued, 0);
      continue;
    }
    *status = one_status;
    ended = true;
  }
  return ended;
}

void obey(const Command& command, const Message& message) {
  if (message.kind != Kind::signal && message.kind != Kind::group_signal) return;
  // A terminal stops a process group as a whole, and the group loses the foreground. SIGCONT has to undo both.
  const bool is_for_group = message.kind == Kind::group_signal || message.value == SIGCONT;
  if (message.value == SIGCONT && command.own_terminal) ::tcsetpgrp(STDIN_FILENO, command.pid);
  ::kill(is_for_group && command.own_group ? -command.pid : command.pid, message.value);
  if (asks_for_end(message.value)) report_at_once(command.socket, Kind::answer, message.value);
}

int hold_signals() {
  sigset_t all;
  sigfillset(&all);
  ::sigprocmask(SIG_SETMASK, &all, nullptr);
  ::signal(SIGCHLD, SIG_DFL);
  sigset_t child_signals;
  sigemptyset(&child_signals);
  sigaddset(&child_signals, SIGCHLD);
  return ::signalfd(-1, &child_signals, SFD_CLOEXEC | SFD_NONBLOCK);
}

int watch(int socket, int signals) {
  const int sources = ::epoll_create1(EPOLL_CLOEXEC);
  if (sources < 0) return -1;
  const int both[] = {socket, signals};
  for (const int source : both) {
    epoll_event event = {};
    event.events = EPOLLIN;
    event.data.fd = source;
    if (::epoll_ctl(sources, EPOLL_CTL_ADD, source, &event) != 0) return -1;
  }
  return sources;
}

void drain(int signals) {
  signalfd_siginfo ignored[8];
  [[maybe_unused]] auto drained = ::read(signals, ignored, sizeof ignored);
}

}  // namespace isolate::init
