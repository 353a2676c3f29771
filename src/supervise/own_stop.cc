#include "supervise/own_stop.h"

#include <signal.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <string>

#include "linux/file.h"

namespace isolate {

bool is_stopped(pid_t pid) {
  const auto stat = read_file("/proc/" + std::to_string(pid) + "/stat");
  const auto name_end = stat ? stat->rfind(") ") : std::string::npos;
  return name_end == std::string::npos || (*stat)[name_end + 2] == 'T';
}

Alarm::Alarm(int milliseconds) {
  if (milliseconds < 0) return;
  sigevent event{};
  event.sigev_notify = SIGEV_SIGNAL;
  event.sigev_signo = SIGCONT;
  has_timer_ = ::timer_create(CLOCK_MONOTONIC, &event, &timer_) == 0;
  const itimerspec once{{0, 0}, {milliseconds / 1000, milliseconds % 1000 * 1'000'000L + 1}};
  if (has_timer_) ::timer_settime(timer_, 0, &once, nullptr);
}

Alarm::~Alarm() {
  if (has_timer_) ::timer_delete(timer_);
}

void continue_for_ourselves(pid_t pid) {
  siginfo_t info{};
  info.si_signo = SIGCONT;
  info.si_code = SI_TIMER;
  ::syscall(SYS_rt_sigqueueinfo, pid, SIGCONT, &info);
}

}  // namespace isolate
