// PoolKeeper: keeps each registered pool at its size. inotify reports when a fresh clone is taken, a lease ends or a
// size changes; a regular scan finds everything else. Child processes refresh the pools, one at a time for each pool.
#pragma once

#include <chrono>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "linux/process.h"
#include "pool/registered.h"

namespace isolate {

class PoolKeeper {
 public:
  using Clock = std::chrono::steady_clock;

  // `main_store` is a directory.
  static Result<PoolKeeper> make(std::string main_store);

  // Readable when read_events() has something to do.
  int events() const { return inotify_.get(); }
  void read_events();
  // Each is readable when collect() has something to do.
  std::vector<int> children() const;
  // Reaps refreshes that have ended, and plans the next attempt of those that failed.
  void collect();
  // Does what is due: scans for pools, starts refreshes.
  void work();
  // The time when work() has to be called next.
  Clock::time_point next() const;
  bool is_idle() const { return children().empty(); }

 private:
  enum class Meaning { look, changed };  // look: scan for pools; changed: the watched pool has changed
  struct Watch {
    Meaning meaning = Meaning::look;
    std::string pool;  // the key of the pool
  };
  struct Kept {
    std::string store;
    std::string name;
    std::optional<Clock::time_point> due;
    unsigned failures = 0;    // consecutive failures without a new event
    bool is_failing = false;  // errors are logged only once, and not at each attempt
    ChildProcess child;
  };

  PoolKeeper(std::string main_store, Fd inotify) : main_store_(std::move(main_store)), inotify_(std::move(inotify)) {}
  void watch(const std::string& path, unsigned events, const Watch& watch);
  void look_for_pools(bool all_are_due);
  void watch_pool(const Pool& pool, const std::string& key);
  void handle_event(int watch, unsigned events, bool is_size);
  void refresh(Kept* kept);

  std::string main_store_;
  Fd inotify_;
  std::map<int, Watch> watches_;
  std::map<std::string, Kept> pools_;  // keyed by the directory with the pool's state
  std::optional<Clock::time_point> look_at_;
  Clock::time_point scan_at_{};
};

}  // namespace isolate
