// Arrivals: connections whose first request is not whole yet. Each costs a descriptor and no process, so that clients
// who connect and close, say nothing, or send half a request take nobody's turn. What they send is looked at only for
// the byte that ends a request; it is read by the process that serves them.
#pragma once

#include <chrono>
#include <map>
#include <utility>
#include <vector>

#include "base/fd.h"
#include "base/result.h"

namespace isolate {

class Arrivals {
 public:
  using Clock = std::chrono::steady_clock;
  static constexpr std::chrono::seconds kMostIdle{10};
  static constexpr std::chrono::seconds kMostForRequest{3};

  static Result<Arrivals> make();

  void add(uid_t uid, Fd connection);
  // Readable when take_ready() may have something to do; so it has when next() has come.
  int events() const { return events_.get(); }
  // Takes out those that have sent a whole request, or more than one may be long. Closes those that have ended or taken
  // too long.
  std::vector<std::pair<uid_t, Fd>> take_ready();
  Clock::time_point next() const;

  std::size_t number() const { return arrived_.size(); }
  std::size_t number_of(uid_t uid) const;
  std::vector<uid_t> users() const;
  void drop_newest_of(uid_t uid);
  void clear();

 private:
  struct Arrived {
    uid_t uid;
    Fd connection;
    bool has_begun;
    Clock::time_point deadline;
  };
  enum class State { empty, begun, whole, ended };
  using Place = std::map<std::uint64_t, Arrived>::iterator;

  explicit Arrivals(Fd events) : events_(std::move(events)) {}
  static State look_at(const Fd& connection);
  // The connection as it is, or one that is closed: nothing tells of it any more.
  Fd take_out(Place place);

  Fd events_;                                 // epoll(7), edge-triggered: told once for what has come
  std::map<std::uint64_t, Arrived> arrived_;  // in the order of their coming
  std::map<uid_t, std::size_t> numbers_;
  std::uint64_t last_ = 0;
};

}  // namespace isolate
