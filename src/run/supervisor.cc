#include "run/supervisor.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstring>

#include "base/trace.h"
#include "linux/control_socket.h"

namespace isolate {
namespace {

sigset_t passed_on() {
  sigset_t set;
  sigemptyset(&set);
  for (int number : {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGUSR1, SIGUSR2}) sigaddset(&set, number);
  return set;
}

// The pid that the kernel attached to a message, as this process's pid namespace shows it; -1 without one.
pid_t sender(msghdr* header) {
  for (cmsghdr* control = CMSG_FIRSTHDR(header); control != nullptr; control = CMSG_NXTHDR(header, control)) {
    if (control->cmsg_level != SOL_SOCKET || control->cmsg_type != SCM_CREDENTIALS) continue;
    ucred credentials{};
    std::memcpy(&credentials, CMSG_DATA(control), sizeof credentials);
    return credentials.pid;
  }
  return -1;
}

}  // namespace

void Supervisor::hold_signals() {
  const auto set = passed_on();
  ::sigprocmask(SIG_BLOCK, &set, nullptr);
  // A caller that ignores the ends of its children must not keep us from learning of ours.
  ::signal(SIGCHLD, SIG_DFL);
  ::signal(SIGPIPE, SIG_IGN);
}

Result<Fd> Supervisor::held_signals() {
  const auto set = passed_on();
  return Fd(static_cast<int>(TRY(trace::check(::signalfd(-1, &set, SFD_CLOEXEC), "signalfd", ""))));
}

Result<Supervisor> Supervisor::make(bool ignore_interrupt) {
  Supervisor supervisor;
  supervisor.ignore_interrupt_ = ignore_interrupt;

  int ends[2];
  TRY(trace::check(::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends), "socketpair", "control"));
  supervisor.control_ = Fd(ends[0]);
  supervisor.guest_control_ = Fd(ends[1]);
  const int on = 1;
  TRY(trace::check(::setsockopt(ends[0], SOL_SOCKET, SO_PASSCRED, &on, sizeof on), "setsockopt", "SO_PASSCRED"));
  TRY(trace::check(::pipe2(ends, O_CLOEXEC), "pipe2", "report"));
  supervisor.report_reader_ = Fd(ends[0]);
  supervisor.report_writer_ = Fd(ends[1]);

  supervisor.signals_ = TRY(held_signals());
  return supervisor;
}

bool Supervisor::read_control(const std::function<void(pid_t)>& started) {
  control::Message message{};
  iovec data{&message, sizeof message};
  // Room for the credentials and nothing else: descriptors that somebody sends along are dropped by the kernel.
  alignas(cmsghdr) char space[CMSG_SPACE(sizeof(ucred))];
  msghdr header{};
  header.msg_iov = &data;
  header.msg_iovlen = 1;
  header.msg_control = space;
  header.msg_controllen = sizeof space;
  const ssize_t got = ::recvmsg(control_.get(), &header, MSG_CMSG_CLOEXEC | MSG_DONTWAIT);
  // A signal that init did not read any more; what init has sent before comes with the next call.
  if (got < 0 && errno == ECONNRESET) return true;
  if (got <= 0) {
    if (got == 0 || (errno != EINTR && errno != EAGAIN)) control_.reset();
    return false;
  }
  if (got != static_cast<ssize_t>(sizeof message)) return true;
  switch (message.kind) {
    case control::Kind::pid:
      if (command_pid_ < 0) command_pid_ = sender(&header);
      break;
    case control::Kind::started:
      if (!std::exchange(has_started_, true)) started(command_pid_);
      break;
    case control::Kind::failed:
      outcome_.exec_error = message.value;
      break;
    case control::Kind::ended:
      if (!outcome_.ended) outcome_.ended = ExitStatus::from_wait_status(message.value);
      break;
    case control::Kind::no_directory:
      outcome_.directory_error = message.value;
      break;
    case control::Kind::signal:
      break;  // ours to send, not to get
  }
  return true;
}

// What the terminal sends goes to all of the foreground, the command too: it must not get it twice. Only a hang-up goes
// to the leader of the session alone.
bool Supervisor::belongs_to_terminal(int signal) {
  return signal == SIGINT || signal == SIGQUIT || (signal == SIGHUP && ::getsid(0) != ::getpid());
}

void Supervisor::pass_signal_on(const ChildProcess& launcher) {
  signalfd_siginfo info{};
  if (::read(signals_.get(), &info, sizeof info) != static_cast<ssize_t>(sizeof info)) return;
  const auto number = static_cast<int>(info.ssi_signo);
  if (number == SIGINT && ignore_interrupt_) return;
  if (has_started_ && info.ssi_code == SI_KERNEL && belongs_to_terminal(number)) return;
  if (!has_started_) {
    ending_signal_ = number;
    launcher.signal(SIGKILL);
    return;
  }
  const control::Message message{control::Kind::signal, number};
  // When init is gone the end is about to be noticed, ignoring.
  if (control_) ::send(control_.get(), &message, sizeof message, MSG_NOSIGNAL | MSG_DONTWAIT);
}

Result<RunOutcome> Supervisor::wait(ChildProcess launcher, const std::function<void(pid_t)>& started) {
  guest_control_.reset();
  report_writer_.reset();
  bool engine_runs = true;
  while (control_ || report_reader_ || engine_runs) {
    pollfd sources[] = {{control_.get(), POLLIN, 0},
                        {report_reader_.get(), POLLIN, 0},
                        {signals_.get(), POLLIN, 0},
                        {engine_runs ? launcher.pidfd() : -1, POLLIN, 0}};
    if (::poll(sources, 4, -1) < 0) {
      if (errno == EINTR) continue;
      return fail(errno, "poll");
    }
    if (sources[0].revents != 0) read_control(started);
    if (sources[1].revents != 0) {
      char buffer[4096];
      const ssize_t got = ::read(report_reader_.get(), buffer, sizeof buffer);
      if (got > 0) report_.append(buffer, static_cast<std::size_t>(got));
      if (got == 0) report_reader_.reset();
    }
    if (sources[2].revents != 0) pass_signal_on(launcher);
    if (sources[3].revents == 0) continue;
    engine_runs = false;
    // What was said before the end is there by now; others who may hold the socket are not waited for.
    while (control_ && read_control(started)) {
    }
    control_.reset();
  }
  return conclude(TRY(launcher.wait()));
}

Result<RunOutcome> Supervisor::conclude(const ExitStatus& engine) const {
  if (outcome_.ended || outcome_.exec_error != 0 || outcome_.directory_error != 0) return outcome_;
  // The launcher's error, or what the engine had to say.
  if (!report_.empty()) return fail(Error::from_packed(report_.substr(0, report_.find_last_not_of('\n') + 1)));
  if (ending_signal_ != 0) return RunOutcome{ExitStatus{true, ending_signal_}, 0, 0};
  if (has_started_) return RunOutcome{ExitStatus{true, SIGKILL}, 0, 0};
  return fail("the engine ended with " + engine.describe() + " before the command started");
}

}  // namespace isolate
