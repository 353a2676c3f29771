// WarmKeeper: keeps a number of warm guests ready. Each is a process `isolate --hold`, which ends when the run that has
// taken its guest has ended.
#pragma once

#include <chrono>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "base/fd.h"
#include "base/result.h"
#include "linux/epoll.h"
#include "linux/interval_timer.h"
#include "linux/process.h"

namespace isolate {

struct WarmKeeping {
  std::vector<std::string> hold;  // the command line of isolate, with --status-fd 1
  unsigned size = 0;
  // Returns a text that stands for the template's newest generation. Guests of other ones are replaced.
  std::function<Result<std::string>()> generation;
  std::chrono::seconds interval{0};  // between two looks for a newer generation, but at least a second
  // Whether the machine is short of memory; `was_short` is what it was before.
  std::function<bool(bool was_short)> is_short_of_memory;
};

class WarmKeeper {
 public:
  static Result<WarmKeeper> make(WarmKeeping keeping);
  WarmKeeper(WarmKeeper&&) = default;
  WarmKeeper(const WarmKeeper&) = delete;
  WarmKeeper& operator=(const WarmKeeper&) = delete;
  // Ends the guests that nobody has taken. The others go on.
  ~WarmKeeper();

  // Keeps the guests ready until a signal asks for an end (interruption.h). Calls `on_ready` when all of them are ready
  // for the first time. While the machine is short of memory, it makes no guests, and each second it ends the oldest
  // guest that waits. Errors: no guest can be made; the template is gone.
  Result<void> run(const std::function<void()>& on_ready);

 private:
  WarmKeeper(WarmKeeping keeping, Epoll sources, IntervalTimer timer)
      : keeping_(std::move(keeping)), sources_(std::move(sources)), timer_(std::move(timer)) {}
  struct Guest {
    ChildProcess isolate;
    Fd events;               // what it writes to --status-fd; it ends when this end is shut down
    std::string line;        // of an event, as far as it has come
    std::string generation;  // the newest one when the guest was begun; the guest's own may be newer
    std::chrono::steady_clock::time_point begun;
    bool is_ready = false;
    bool is_taken = false;
    bool is_dismissed = false;
  };

  Result<void> fill();
  Result<void> start();
  Result<void> read_events(pid_t pid);
  Result<void> guest_has_ended(Guest guest);
  Result<void> look_after_template();
  void look_after_memory();
  void reap_taken();
  // Tells the guest's isolate to end, unless a run has taken the guest.
  static void dismiss(Guest* guest);
  std::size_t ready() const;

  WarmKeeping keeping_;
  std::chrono::steady_clock::time_point next_look_;
  std::map<pid_t, Guest> guests_;    // those that nobody has taken
  std::vector<ChildProcess> taken_;  // their runs have not ended
  bool was_ready_ = false;           // at least one guest has been ready
  bool is_short_of_memory_ = false;
  unsigned failures_ = 0;  // in a row
  std::chrono::steady_clock::time_point next_start_;
  Epoll sources_;  // the events of all guests, and the timer
  IntervalTimer timer_;
};

}  // namespace isolate
