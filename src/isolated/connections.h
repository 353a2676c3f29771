// Connections: those that are served, each by its own process, and those that wait for that or have not sent a whole
// request yet. Each user can have a limited number of both, and users take turns.
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
  // Additional places for users of whom no connection is served yet.
  static constexpr std::size_t kServedFirst = 16;
  // Further connections of a user are served with a lower priority.
  static constexpr std::size_t kPreferredOfUser = 2;
  static constexpr std::size_t kWaitingOfUser = 256;
  static constexpr std::size_t kWaiting = 512;
  static constexpr std::chrono::seconds kLongestService{120};

  Connections(std::string main_store, gid_t group, Arrivals arrivals)
      : main_store_(std::move(main_store)), group_(group), arrivals_(std::move(arrivals)) {}

  // Takes over a new connection. Closes it if its peer may not connect or has too many connections.
  void add(Fd connection);
  // Each is readable when collect() has something to do.
  std::vector<int> children() const;
  // Reaps the processes that have ended, and kills those that have taken too long.
  void collect();
  // Readable when serve_waiting() may have something to do.
  int events() const { return arrivals_.events(); }
  // Serves as many waiting connections as the limits allow.
  void serve_waiting();
  // The time of the next deadline: call serve_waiting() and collect() then, even if nothing is readable.
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
  // Makes room in the queue for another connection of a user, `own` of whose connections wait there already. If the
  // queue is full, this drops the newest connection of the user with the most. Returns false if the user has reached
  // their own limit, or if no other user has more connections than they have.
  bool make_room(std::size_t own);
  std::size_t served_of(uid_t uid) const;
  // Returns the user whose turn it is, or waiting_.end() if nobody can be served now.
  std::map<uid_t, std::deque<Fd>>::iterator next_user();
  void serve(uid_t uid, Fd connection);

  std::string main_store_;
  gid_t group_;
  std::tuple<ino_t, off_t, time_t, long> groups_{};  // inode, size and time of /etc/group when it was read last
  Arrivals arrivals_;
  std::map<uid_t, std::deque<Fd>> waiting_;
  std::vector<Served> services_;
  uid_t last_served_ = 0;
};

}  // namespace isolate
