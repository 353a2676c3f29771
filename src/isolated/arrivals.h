// Arrivals: connections whose first request has not arrived completely. Each costs a descriptor but no process, so
// clients that connect and close, say nothing, or send half a request delay nobody. This class only looks for the byte
// that ends a request; the process that serves the connection reads it.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <utility>
#include <vector>

#include "base/fd.h"
#include "base/result.h"

namespace isolate {

class Arrivals {
 public:
  using Clock = std::chrono::steady_clock;
  // How long a connection may wait before the first byte of a request, and from that to its last byte.
  static constexpr std::chrono::seconds kMostIdle{10};
  static constexpr std::chrono::seconds kMostForRequest{3};

  static Result<Arrivals> make();

  // Takes over a new connection of the user. Closes it if the kernel has no memory to watch it.
  void add(uid_t uid, Fd connection);
  // Readable when take_ready() may have something to do. Call take_ready() also at the time next().
  int events() const { return events_.get(); }
  // Returns and removes the connections that have sent a whole request, or more bytes than a request may have. Closes
  // those whose peer has closed them or has taken too long.
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
  static State peek_at(const Fd& connection);
  // Removes a connection that may have been closed by its peer, and returns it. No event reports it any more.
  Fd remove(Place place);

  Fd events_;                                 // epoll(7), edge-triggered: reports new data only once
  std::map<std::uint64_t, Arrived> arrived_;  // keyed by order of arrival
  std::map<uid_t, std::size_t> numbers_;
  std::uint64_t last_ = 0;
};

}  // namespace isolate
