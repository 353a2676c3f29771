// PoolKeeper: keeps each registered pool at its size. It learns from the kernel (inotify) that a fresh clone was taken,
// that a lease has ended, or that a size was set, looks at everything now and then besides, and has each pool refreshed
// by a child process, one at a time.
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

  // `main_store`: a directory.
  static Result<PoolKeeper> make(std::string main_store);

  // Readable when read_events() has something to do.
  int events() const { return inotify_.get(); }
  void read_events();
  // Readable when collect() has something to do.
  std::vector<int> children() const;
  void collect();
  // Does what is due: looks for pools, starts refreshes.
  void work();
  // When work() is to be called next.
  Clock::time_point next() const;
  bool is_idle() const { return children().empty(); }

 private:
  enum class Meaning { look, changed };  // look for pools; this pool has changed
  struct Watch {
    Meaning meaning = Meaning::look;
    std::string pool;  // its key
  };
  struct Kept {
    std::string store;
    std::string name;
    std::optional<Clock::time_point> due;
    unsigned failures = 0;    // one after another, with nothing new in between
    bool is_failing = false;  // which is told once, and not at each try
    ChildProcess child;
  };

  PoolKeeper(std::string main_store, Fd inotify) : main_store_(std::move(main_store)), inotify_(std::move(inotify)) {}
  void watch(const std::string& path, unsigned events, const Watch& watch);
  void look(bool all_are_due);
  void watch_pool(const Pool& pool, const std::string& key);
  void take(int watch, unsigned events, bool is_size);
  void refresh(Kept* kept);

  std::string main_store_;
  Fd inotify_;
  std::map<int, Watch> watches_;
  std::map<std::string, Kept> pools_;  // by the path of their states
  std::optional<Clock::time_point> look_at_;
  Clock::time_point scan_at_{};
};

}  // namespace isolate
