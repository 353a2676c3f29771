#include "supervise/job_control.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include <string>
#include <utility>

#include "linux/file.h"
#include "linux/process.h"
#include "supervise/time_left.h"

namespace isolate {
namespace {

// Whether /proc shows the process as stopped. If /proc does not show the process, the answer is yes: isolate then
// stops, and a message from isolate-init continues it.
bool is_stopped(pid_t pid) {
  const auto stat = read_file("/proc/" + std::to_string(pid) + "/stat");
  const auto name_end = stat ? stat->rfind(") ") : std::string::npos;
  return name_end == std::string::npos || (*stat)[name_end + 2] == 'T';
}

// Whether the reason for the stop is gone.
bool is_over(const JobControl::Job& job) {
  pollfd report{job.control, POLLIN, 0};
  if (::poll(&report, 1, 0) != 0 || milliseconds_until(job.deadline) == 0) return true;
  // Somebody may have continued the command together with this process, before this process stopped. They would not
  // do it again.
  return job.command >= 0 && !is_stopped(job.command);
}

// Sends SIGCONT to this process when its time is over.
class Alarm {
 public:
  explicit Alarm(int milliseconds) {  // -1: never
    if (milliseconds < 0) return;
    sigevent event{};
    event.sigev_notify = SIGEV_SIGNAL;
    event.sigev_signo = SIGCONT;
    has_timer_ = ::timer_create(CLOCK_MONOTONIC, &event, &timer_) == 0;
    const itimerspec once{{0, 0}, {milliseconds / 1000, milliseconds % 1000 * 1'000'000L + 1}};
    if (has_timer_) ::timer_settime(timer_, 0, &once, nullptr);
  }
  Alarm(const Alarm&) = delete;
  Alarm& operator=(const Alarm&) = delete;
  ~Alarm() {
    if (has_timer_) ::timer_delete(timer_);
  }

 private:
  timer_t timer_{};
  bool has_timer_ = false;
};

// While it lives, each message that arrives at the socket sends SIGCONT to this process.
class WakeUpByMessage {
 public:
  explicit WakeUpByMessage(int socket) : socket_(socket), flags_(::fcntl(socket, F_GETFL)) {
    ::fcntl(socket_, F_SETOWN, ::getpid());
    ::fcntl(socket_, F_SETSIG, SIGCONT);
    ::fcntl(socket_, F_SETFL, flags_ | O_ASYNC);
  }
  WakeUpByMessage(const WakeUpByMessage&) = delete;
  WakeUpByMessage& operator=(const WakeUpByMessage&) = delete;
  ~WakeUpByMessage() { ::fcntl(socket_, F_SETFL, flags_); }

 private:
  int socket_;
  int flags_;
};

// Sends SIGCONT with the code of a timer, so that it is recognised as isolate's own: see SignalOrigin::wake_up.
void wake_up(pid_t isolate) {
  siginfo_t info{};
  info.si_signo = SIGCONT;
  info.si_code = SI_TIMER;
  ::syscall(SYS_rt_sigqueueinfo, isolate, SIGCONT, &info);
}

// A SIGCONT that arrives before the SIGSTOP would be lost. Therefore a child sends the SIGSTOP, and then looks whether
// the reason for it is gone already.
void stop_unless_over(const JobControl::Job& job) {
  auto stopper = fork_child(0, [&job] {
    ::kill(::getppid(), SIGSTOP);
    if (is_over(job)) wake_up(::getppid());
    return 0;
  });
  if (stopper) {
    stopper->wait();
  } else {
    // fork failed: a SIGCONT in the short time between the last look and this call is lost.
    JobControl::stop_until_continued();
  }
}

}  // namespace

void JobControl::stop_until_continued() { ::raise(SIGSTOP); }

void JobControl::stop_if_due(const Job& job) {
  if (!std::exchange(stop_is_due_, false)) return;
  if (job.caller != nullptr) {
    if (is_over(job)) return;
    job.caller->stop();
    if (is_over(job)) job.caller->go_on();
    return;
  }
  // Three things end the stop: a message from isolate-init, the alarm, and a SIGCONT of somebody else. The last one is
  // then read like any other signal, and goes to the command.
  const WakeUpByMessage wake_up_by_message(job.control);
  const Alarm alarm(milliseconds_until(job.deadline));
  if (is_over(job)) return;
  if (job.relay != nullptr) job.relay->give_host_back();
  stop_unless_over(job);
  if (job.relay != nullptr) job.relay->follow_host();
}

}  // namespace isolate
