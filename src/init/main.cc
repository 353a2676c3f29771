// isolate-init: the first process of a guest. Starts the command with its limits, terminal and seccomp filters, reaps
// what is left to it, passes signals on, and reports stops and the exact end to `isolate`. When it ends, the kernel
// kills all that is left in its pid namespace.
// Arguments: isolate-init DIRECTORY; all else comes in a file in memory, see wire/init_protocol.h.
// It is started for every run: no C++ library, and musl, since glibc's start asks the processor what it can do (cpuid),
// which takes a millisecond in a virtual machine.
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "init/command.h"
#include "init/exec.h"
#include "linux/signal_reset.h"

namespace {

using namespace isolate::init;
using namespace isolate::protocol;
using isolate::reset_signals;

// The setup as isolate wrote it; null when it can not be read.
const Setup* read_setup() {
  struct stat status = {};
  if (!is_sealed(kSetupFd)) return nullptr;
  if (::fstat(kSetupFd, &status) != 0 || static_cast<size_t>(status.st_size) < sizeof(Setup)) return nullptr;
  // Private and writable, as the words and variables of a command may be.
  void* memory = ::mmap(nullptr, static_cast<size_t>(status.st_size), PROT_READ | PROT_WRITE, MAP_PRIVATE, kSetupFd, 0);
  ::close(kSetupFd);
  return memory == MAP_FAILED ? nullptr : static_cast<const Setup*>(memory);
}

// Pointers to so many texts, each ended by a zero byte, from `*text` on, which is moved behind them. One place before
// the pointers is writable, see program.h. Null without memory.
char** take_texts(const char** text, unsigned count) {
  auto** places = static_cast<char**>(calloc(size_t{count} + 2, sizeof(char*)));
  if (places == nullptr) return nullptr;
  char** texts = places + 1;
  for (unsigned i = 0; i < count; ++i) {
    texts[i] = const_cast<char*>(*text);
    *text += strlen(*text) + 1;
  }
  return texts;
}

// The environment of the command, which this process takes on, and the command's words. Null without memory.
char** take_command(const Setup& setup) {
  const auto* text = reinterpret_cast<const char*>(&setup + 1);
  for (unsigned i = 0; i < setup.filters; ++i) text += setup.filter_length[i] * sizeof(sock_filter);
  environ = take_texts(&text, setup.variables);
  return environ == nullptr ? nullptr : take_texts(&text, setup.arguments);
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

// Confines this process and makes it the init of the guest's system, which has nothing of the caller's.
int become(const Command& command) {
  ::close(kControlFd);
  const int null = ::open("/dev/null", O_RDWR);
  for (int number = STDIN_FILENO; number <= STDERR_FILENO; ++number) ::dup2(null, number);
  if (null > STDERR_FILENO) ::close(null);
  if (apply(command) != 0) return 125;
  reset_signals();
  ::execv(command.arguments[0], command.arguments);
  return 127;
}

// Does what isolate asks for. False when isolate is gone.
bool read_control(const Command& command, int signals) {
  Received received;
  const ssize_t got = receive(kControlFd, &received);
  if (got < 0) return errno == EINTR || errno == EAGAIN;
  if (got == static_cast<ssize_t>(sizeof received.message)) {
    obey(command, received.message);
    if (received.message.kind == Kind::exec) start_exec(*command.setup, received, signals);
  }
  close_descriptors(received);
  return got > 0;
}

// Until the command has ended: its status, as wait(2) gives it. -1 when isolate is gone.
int wait_for(const Command& command, int sources, int signals) {
  int status = 0;
  while (true) {
    epoll_event event = {};
    if (::epoll_wait(sources, &event, 1, -1) < 0 && errno != EINTR) return -1;
    if (event.data.fd == signals) {
      drain(signals);
      if (reap(command, &status, exec_changed)) return status;
    }
    if (event.data.fd == kControlFd && !read_control(command, signals)) return -1;
  }
}

int fail(Kind kind, int error) {
  report(kControlFd, kind, error);
  return 125;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 2) return 125;
  ::prctl(PR_SET_NAME, "isolate-init");
  // The guest must not take the control socket from this process, nor reach the host's file that it was started from.
  ::prctl(PR_SET_DUMPABLE, 0);
  ::close(kProgramFd);
  ::close(kBootSetupFd);  // where no system was booted, the engine has left it
  ::dup2(kErrorFd, STDERR_FILENO);
  ::close(kErrorFd);
  ::fcntl(kControlFd, F_SETFD, FD_CLOEXEC);
  const Setup* setup = read_setup();
  if (setup == nullptr) return fail(Kind::no_setup, EBADF);
  char** const arguments = take_command(*setup);
  if (arguments == nullptr) return fail(Kind::no_setup, ENOMEM);
  if (!limit_capabilities(setup->capabilities)) return fail(Kind::no_setup, EPERM);
  if (const int error = enter_directory(argv[1]); error != 0) return fail(Kind::no_directory, error);
  const isolate::SignalState callers = {setup->ignored_signals, setup->blocked_signals};
  Command command = {setup, arguments, callers, kControlFd, setup->own_group != 0, setup->own_terminal != 0, -1};
  if (setup->role == Role::becomes) return become(command);
  if (setup->role == Role::beside) ::prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);

  const int signals = hold_signals();
  // This process leads the session, and not the command: a process group can be stopped only while one of its members
  // has a parent outside the group in the same session. Where the engine has made a session this fails, which is right.
  if (setup->own_session != 0) ::setsid();
  if (command.own_terminal) {
    if (const int error = open_terminal(kControlFd, true); error != 0) return fail(Kind::no_setup, error);
  }
  const int sources = watch(kControlFd, signals);
  if (sources < 0) return fail(Kind::no_setup, errno);
  if (!start(&command)) return 125;
  const int status = wait_for(command, sources, signals);
  if (status < 0) return 125;
  report(kControlFd, Kind::ended, status);
  return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}
