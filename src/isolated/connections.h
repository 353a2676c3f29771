// Connections: those that are served, each by a process of its own, and those that wait for that, with a whole request
// or until they have sent one. What one user can have of each is bounded, and users take turns.
#pragma once

#include <chrono>
#include <deque>
#include <map>
#include <string>
#include <tuple>
#include <vector>

#include "isolated/arrivals.h"
#include "isolated/service.h"
#include "linux/process.h"

namespace isolate {

class Connections {
 public:
  using Clock = std::chrono::steady_clock;

  static constexpr std::size_t kServedOfUser = 8;
  static constexpr std::size_t kServed = 32;
  // As many more, for users of whom none is served.
  static constexpr std::size_t kServedFirst = 16;
  // Beyond these, a user's are served with less processor time than others'.
  static constexpr std::size_t kPreferredOfUser = 2;
  static constexpr std::size_t kWaitingOfUser = 256;
  static constexpr std::size_t kWaiting = 512;
  static constexpr std::chrono::seconds kLongestService{120};

  Connections(std::string main_store, gid_t group, Arrivals arrivals)
      : main_store_(std::move(main_store)), group_(group), arrivals_(std::move(arrivals)) {}

  // A connection just accepted: closed when its peer may not connect, or has too many.
  void add(Fd connection);
  // Readable when collect() has something to do.
  std::vector<int> children() const;
  // Those that have ended or have taken too long.
  void collect();
  // Readable when serve_waiting() may have something to do.
  int events() const { return arrivals_.events(); }
  // Begins to serve as many as may be served.
  void serve_waiting();
  // When collect() is to be called next, whatever is readable.
  Clock::time_point next() const;
  bool is_idle() const { return services_.empty() && waiting_.empty(); }
  void drop_waiting() {
    waiting_.clear();
    arrivals_.clear();
  }

 private:
  struct Served {
    uid_t uid;
    ChildProcess process;
    Clock::time_point deadline;
  };
  void look_up_group();
  std::size_t waiting_number() const;
  std::size_t waiting_of(uid_t uid) const;
  void drop_newest_of(uid_t uid);
  // Room for one more of a user who has `own`: where there is none, of whoever has the most, the last one goes.
  bool make_room(std::size_t own);
  std::size_t served_of(uid_t uid) const;
  // The user whose turn it is; waiting_.end() if nobody's can be served now.
  std::map<uid_t, std::deque<Fd>>::iterator next_user();
  void serve(uid_t uid, Fd connection);

  std::string main_store_;
  gid_t group_;
  std::tuple<ino_t, off_t, time_t, long> groups_{};  // /etc/group, as it was when it was read: inode, size and time
  Arrivals arrivals_;
  std::map<uid_t, std::deque<Fd>> waiting_;
  std::vector<Served> services_;
  uid_t last_served_ = 0;
};

}  // namespace isolate
