// IntervalTimer: a descriptor that becomes readable at regular intervals (timerfd_create(2)).
#pragma once

#include <chrono>

#include "base/fd.h"
#include "base/result.h"

namespace isolate {

class IntervalTimer {
 public:
  static Result<IntervalTimer> each(std::chrono::seconds interval);

  int fd() const { return fd_.get(); }
  // Whether an interval has ended since the last call. Does not wait.
  bool has_elapsed() const;

 private:
  explicit IntervalTimer(Fd fd) : fd_(std::move(fd)) {}
  Fd fd_;
};

}  // namespace isolate
