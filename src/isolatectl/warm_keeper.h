// WarmKeeper: keeps a number of warm guests ready. Each is a process `isolate --hold`, which ends when the run that has
// taken its guest has ended.
#pragma once

#include <chrono>
#include <cstdint>
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

class WarmKeeper {
 public:
  // `hold` is the command line of isolate, with --status-fd 1. `generation` returns the number of the template's newest
  // generation. Guests of older ones are replaced; it looks for them every `interval`, but at most once a second.
  static Result<WarmKeeper> make(std::vector<std::string> hold, unsigned size,
                                 std::function<Result<std::uint64_t>()> generation, std::chrono::seconds interval);
  WarmKeeper(WarmKeeper&&) = default;
  WarmKeeper(const WarmKeeper&) = delete;
  WarmKeeper& operator=(const WarmKeeper&) = delete;
  // Ends the guests that nobody has taken. The others go on.
  ~WarmKeeper();

  // Keeps the guests ready until a signal asks for an end (interruption.h). Calls `on_ready` when all of them are ready
  // for the first time. Errors: no guest can be made; the template is gone.
  Result<void> run(const std::function<void()>& on_ready);

 private:
  WarmKeeper(std::vector<std::string> hold, unsigned size, std::function<Result<std::uint64_t>()> generation,
             std::chrono::seconds interval, Epoll sources, IntervalTimer timer)
      : hold_(std::move(hold)),
        size_(size),
        generation_(std::move(generation)),
        interval_(interval),
        sources_(std::move(sources)),
        timer_(std::move(timer)) {}
  struct Guest {
    ChildProcess isolate;
    Fd events;                     // what it writes to --status-fd; it ends when this end is shut down
    std::string line;              // of an event, as far as it has come
    std::uint64_t generation = 0;  // the newest one when the guest was begun; the guest's own may be newer
    bool is_ready = false;
    bool is_taken = false;
  };

  Result<void> fill();
  Result<void> start();
  Result<void> read_events(pid_t pid);
  Result<void> guest_has_ended(Guest guest);
  Result<void> look_after_template();
  void reap_taken();
  // Tells the guest's isolate to end, unless a run has taken the guest.
  static void dismiss(const Guest& guest);
  std::size_t ready() const;

  std::vector<std::string> hold_;
  unsigned size_;
  std::function<Result<std::uint64_t>()> generation_;
  std::chrono::seconds interval_;
  std::chrono::steady_clock::time_point next_look_;
  std::map<pid_t, Guest> guests_;    // those that nobody has taken
  std::vector<ChildProcess> taken_;  // their runs have not ended
  bool was_ready_ = false;           // at least one guest has been ready
  unsigned failures_ = 0;            // in a row
  std::chrono::steady_clock::time_point next_start_;
  Epoll sources_;  // the events of all guests, and the timer
  IntervalTimer timer_;
};

}  // namespace isolate
