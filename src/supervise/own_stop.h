// What isolate needs to stop itself as its command was stopped, and to be continued again.
#pragma once

#include <sys/types.h>
#include <time.h>

namespace isolate {

// Whether a process is stopped, as /proc shows it; one that can't be looked at is taken for stopped.
bool is_stopped(pid_t pid);

// Continues this process when its time is over, should it be stopped then.
class Alarm {
 public:
  explicit Alarm(int milliseconds);  // -1: never
  Alarm(const Alarm&) = delete;
  Alarm& operator=(const Alarm&) = delete;
  ~Alarm();

 private:
  timer_t timer_{};
  bool has_timer_ = false;
};

// Sends SIGCONT. It differs from others' by its code, which is that of a timer's.
void continue_for_ourselves(pid_t pid);

}  // namespace isolate
