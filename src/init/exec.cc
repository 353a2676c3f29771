#include "init/exec.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "init/command.h"

namespace isolate::init {

using namespace protocol;

namespace {

// The processes that each watch one further command. 0 marks a free place.
pid_t watchers[kMostExecCommands] = {};

struct Request {
  ExecSetup setup;
  const char* directory;
  char** arguments;
};

// Reads the request from the file in memory, and adds its variables to this process's environment. Returns false if the
// file is not sealed or is malformed, or if memory is short.
bool read_request(int file, Request* request) {
  struct stat status = {};
  if (!is_sealed(file) || ::fstat(file, &status) != 0 || static_cast<size_t>(status.st_size) < sizeof(ExecSetup))
    return false;
  // Map it private and writable, because a program may write to its arguments and variables.
  void* memory = ::mmap(nullptr, static_cast<size_t>(status.st_size), PROT_READ | PROT_WRITE, MAP_PRIVATE, file, 0);
  if (memory == MAP_FAILED) return false;
  memcpy(&request->setup, memory, sizeof request->setup);
  char* text = static_cast<char*>(memory) + sizeof(ExecSetup);
  request->directory = text;
  // Two more places than arguments: one before them, which execute() needs (program.h), and one for the null at the
  // end.
  auto** places = static_cast<char**>(calloc(request->setup.arguments + 2, sizeof(char*)));
  if (places == nullptr) return false;
  request->arguments = places + 1;
  for (unsigned i = 0; i < request->setup.arguments; ++i) {
    text += strlen(text) + 1;
    request->arguments[i] = text;
  }
  for (unsigned i = 0; i < request->setup.variables; ++i) {
    text += strlen(text) + 1;
    if (::putenv(text) != 0) return false;
  }
  return true;
}

long long milliseconds_now() {
  timespec now = {};
  ::clock_gettime(CLOCK_MONOTONIC, &now);
  return now.tv_sec * 1000LL + now.tv_nsec / 1'000'000;
}

// Ends a command when nobody waits for it any more: first with SIGHUP, and with SIGKILL after kExecEndGrace.
class HangUp {
 public:
  bool has_begun() const { return end_ != 0; }
  void begin(pid_t group) {
    end_ = milliseconds_now() + kExecEndGrace;
    ::kill(-group, SIGHUP);
    ::kill(-group, SIGCONT);
  }
  void kill_when_due(pid_t group) const {
    if (has_begun() && milliseconds_now() >= end_) ::kill(-group, SIGKILL);
  }
  int timeout() const {
    if (!has_begun()) return -1;
    const long long left = end_ - milliseconds_now();
    // After the grace time, kill the group again every 100 ms: a process that is just being forked can miss a signal to
    // its group.
    return left > 0 ? static_cast<int>(left) : 100;
  }

 private:
  long long end_ = 0;
};

// Reads a message and passes the signal in it on to the command. Returns false when the other end of the socket is
// closed, which means that nobody waits for the command any more.
bool read_socket(const Command& command) {
  Received received;
  const ssize_t got = receive(command.socket, &received);
  close_descriptors(received);
  if (got < 0) return errno == EINTR || errno == EAGAIN;
  if (got == static_cast<ssize_t>(sizeof received.message)) obey(command, received.message);
  return got > 0;
}

int wait_for(const Command& command, int sources, int signals) {
  int status = 0;
  HangUp hang_up;
  while (true) {
    epoll_event event = {};
    const int events = ::epoll_wait(sources, &event, 1, hang_up.timeout());
    if (events > 0 && event.data.fd == signals) {
      drain(signals);
      if (reap(command, &status, nullptr)) return status;
    }
    if (events > 0 && event.data.fd == command.socket && !read_socket(command)) {
      ::epoll_ctl(sources, EPOLL_CTL_DEL, command.socket, nullptr);
      hang_up.begin(command.pid);
    }
    hang_up.kill_when_due(command.pid);
  }
}

// Runs in the process that watches one command: starts the command, passes signals on to it and reports its end.
void run_to_end(const Setup& setup, const int* descriptors, int signals) {
  const int socket = descriptors[kExecSocket];
  ::close(kControlFd);
  ::prctl(PR_SET_NAME, "isolate-exec");
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  // Leave the session of the first command, whose controlling terminal this command must not have.
  ::setsid();
  Request request = {};
  if (!read_request(descriptors[kExecSetup], &request)) return report(socket, Kind::no_setup, EBADF);
  for (int number = STDIN_FILENO; number <= STDERR_FILENO; ++number) {
    if (::dup2(descriptors[kExecInput + number], number) < 0) return report(socket, Kind::no_setup, errno);
  }
  ::close(descriptors[kExecSetup]);
  for (int i = kExecInput; i <= kExecError; ++i) ::close(descriptors[i]);
  if (*request.directory != 0) {
    if (const int error = enter_directory(request.directory); error != 0) {
      return report(socket, Kind::no_directory, error);
    }
  }
  const SignalState callers = {request.setup.ignored_signals, request.setup.blocked_signals};
  Command command = {&setup, request.arguments, callers, socket, true, request.setup.own_terminal != 0, -1};
  if (command.own_terminal) {
    if (const int error = open_terminal(socket, request.setup.own_error != 0); error != 0) {
      return report(socket, Kind::no_setup, error);
    }
  }
  const int sources = watch(socket, signals);
  if (sources < 0) return report(socket, Kind::no_setup, errno);
  if (start(&command)) report(socket, Kind::ended, wait_for(command, sources, signals));
}

}  // namespace

void start_exec(const Setup& setup, const Received& received, int signals) {
  if (received.count != kExecDescriptors) return;
  const int socket = received.descriptors[kExecSocket];
  for (pid_t& watcher : watchers) {
    if (watcher != 0) continue;
    const pid_t child = ::fork();
    if (child == 0) {
      run_to_end(setup, received.descriptors, signals);
      ::_exit(0);
    }
    if (child < 0) return report_at_once(socket, Kind::failed, errno);
    watcher = child;
    return;
  }
  report_at_once(socket, Kind::failed, EUSERS);
}

void exec_changed(pid_t pid, int status) {
  for (pid_t& watcher : watchers) {
    if (watcher != pid) continue;
    if (WIFSTOPPED(status)) {
      ::kill(pid, SIGCONT);
    } else if (!WIFCONTINUED(status)) {
      watcher = 0;
    }
  }
}

}  // namespace isolate::init
