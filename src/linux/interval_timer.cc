#include "linux/interval_timer.h"

#include <sys/timerfd.h>
#include <unistd.h>

#include <cstdint>

#include "base/trace.h"

namespace isolate {

Result<IntervalTimer> IntervalTimer::each(std::chrono::seconds interval) {
  Fd fd(static_cast<int>(
      TRY(trace::check(::timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK), "timerfd_create", ""))));
  const itimerspec times{{interval.count(), 0}, {interval.count(), 0}};
  TRY(trace::check(::timerfd_settime(fd.get(), 0, &times, nullptr), "timerfd_settime", ""));
  return IntervalTimer(std::move(fd));
}

bool IntervalTimer::has_elapsed() const {
  std::uint64_t intervals = 0;
  return ::read(fd_.get(), &intervals, sizeof intervals) == static_cast<ssize_t>(sizeof intervals);
}

}  // namespace isolate
