// isolate-init: the first process of a guest. It starts the command with its limits, terminal and seccomp filters,
// reaps orphaned processes, passes signals on to the command, and reports to `isolate` when the command stops and how
// exactly it ends. When isolate-init ends, the kernel kills everything that is left in its pid namespace.
//
// It has no arguments. What it is to do comes in a file in memory, see wire/init_protocol.h.
// Each run starts this program, so it has to start fast. It uses no C++ library, and musl instead of glibc, because
// glibc executes cpuid at each start, which takes about a millisecond in a virtual machine.
#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "init/command.h"
#include "init/exec.h"
#include "init/user.h"
#include "linux/signal_reset.h"

namespace {

using namespace isolate::init;
using namespace isolate::protocol;
using isolate::reset_signals;

// Maps the setup that isolate has written, and closes its file. Returns null if the file can't be read, is too short or
// is not sealed.
const Setup* read_setup(int file, size_t* size) {
  struct stat status = {};
  if (!is_sealed(file)) return nullptr;
  if (::fstat(file, &status) != 0 || static_cast<size_t>(status.st_size) < sizeof(Setup)) return nullptr;
  // Map it private and writable, because a program may write to its arguments and variables.
  void* memory = ::mmap(nullptr, static_cast<size_t>(status.st_size), PROT_READ | PROT_WRITE, MAP_PRIVATE, file, 0);
  ::close(file);
  if (memory == MAP_FAILED) return nullptr;
  *size = static_cast<size_t>(status.st_size);
  return static_cast<const Setup*>(memory);
}

// Makes a null-terminated list of pointers to `count` strings, which follow each other from `*text` on, and moves
// `*text` behind the last one. The list has a writable place before its first pointer, which execute() needs
// (program.h). Returns null if memory is short.
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

// The texts of the setup begin with the working directory.
const char* texts_of(const Setup& setup) {
  const auto* text = reinterpret_cast<const char*>(&setup + 1);
  for (unsigned i = 0; i < setup.filters; ++i) text += setup.filter_length[i] * sizeof(sock_filter);
  return text;
}

// Makes the command's environment this process's own, and returns the command's arguments. Returns null if memory is
// short.
char** take_command(const Setup& setup) {
  const char* text = texts_of(setup);
  text += strlen(text) + 1;
  environ = take_texts(&text, setup.variables);
  return environ == nullptr ? nullptr : take_texts(&text, setup.arguments);
}

// Waits until isolate sends the setup of the command and its streams, and puts the streams in place. Returns null if
// isolate has ended, or if the setup is not usable.
const Setup* wait_for_begin() {
  report(kControlFd, Kind::ready, 0);
  while (true) {
    Received received;
    const ssize_t got = receive(kControlFd, &received);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) return nullptr;
    if (received.message.kind != Kind::begin || received.count != kBeginDescriptors) {
      close_descriptors(received);
      continue;
    }
    for (int stream = 0; stream <= STDERR_FILENO; ++stream) {
      const int given = received.descriptors[kBeginInput + stream];
      ::dup2(given, stream);
      ::close(given);
    }
    size_t size = 0;
    return read_setup(received.descriptors[kBeginSetup], &size);
  }
}

// Role::becomes: confines this process and executes the init of the guest's system, which gets none of the caller's
// descriptors.
int become_system_init(const Command& command) {
  ::close(kControlFd);
  const int null = ::open("/dev/null", O_RDWR);
  for (int number = STDIN_FILENO; number <= STDERR_FILENO; ++number) ::dup2(null, number);
  if (null > STDERR_FILENO) ::close(null);
  if (apply(command) != 0 || install_filters(*command.setup) != 0) return 125;
  reset_signals();
  ::execv(command.arguments[0], command.arguments);
  return 127;
}

// Reads a message from isolate and does what it asks for. Returns false when isolate has ended.
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

// Waits until the command has ended, and returns its wait status (wait(2)). Returns -1 when isolate has ended first.
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

int run_command(const Setup& setup) {
  ::umask(setup.umask);
  if (const int error = enter_directory(texts_of(setup)); error != 0) return fail(Kind::no_directory, error);
  char** const arguments = take_command(setup);
  if (arguments == nullptr) return fail(Kind::no_setup, ENOMEM);
  const isolate::SignalState callers = {setup.ignored_signals, setup.blocked_signals};
  // It is static because it lives as long as this process: nothing frees what its pointers point to.
  static Command command = {};
  command = {&setup, arguments, callers, kControlFd, setup.own_group != 0, setup.own_terminal != 0, -1};
  if (setup.role == Role::becomes) return become_system_init(command);
  if (setup.role == Role::beside) ::prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);

  const int signals = hold_signals();
  // This process leads the session instead of the command: job control can stop a process group only while one of its
  // members has a parent outside the group in the same session. setsid() fails if the engine has already made this
  // process a session leader, which is just as good.
  if (setup.own_session != 0) ::setsid();
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

}  // namespace

int main() {
  ::prctl(PR_SET_NAME, "isolate-init");
  // The guest has the same ids as this process. Not being dumpable keeps the guest from reaching, through /proc or
  // ptrace(2), the control socket and the host's file that this program was started from.
  ::prctl(PR_SET_DUMPABLE, 0);
  ::close(kProgramFd);
  ::close(kBootSetupFd);  // the engine leaves it open if it has not booted a system
  ::dup2(kErrorFd, STDERR_FILENO);
  ::close(kErrorFd);
  ::fcntl(kControlFd, F_SETFD, FD_CLOEXEC);
  size_t size = 0;
  const Setup* setup = read_setup(kSetupFd, &size);
  if (setup == nullptr) return fail(Kind::no_setup, EBADF);
  const auto for_user = setup->has_user != 0 ? capabilities_to_become_user() : 0;
  if (!limit_capabilities(setup->capabilities, setup->capabilities | for_user)) return fail(Kind::no_setup, EPERM);
  if (setup->role == Role::waits) {
    // This setup has the variables of the process that has made the guest.
    ::munmap(const_cast<Setup*>(setup), size);
    setup = wait_for_begin();
    if (setup == nullptr) return fail(Kind::no_setup, EBADF);
  }
  return run_command(*setup);
}
