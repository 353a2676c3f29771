#include "isolated/arrivals.h"

#include <sys/epoll.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cstring>

#include "base/trace.h"
#include "wire/channel.h"

namespace isolate {

Result<Arrivals> Arrivals::make() {
  return Arrivals(Fd(static_cast<int>(TRY(trace::check(::epoll_create1(EPOLL_CLOEXEC), "epoll_create", "arrivals")))));
}

void Arrivals::add(uid_t uid, Fd connection) {
  epoll_event wanted{};
  wanted.events = EPOLLIN | EPOLLRDHUP | EPOLLET;
  wanted.data.u64 = ++last_;
  // Out of kernel memory: close the connection.
  if (::epoll_ctl(events_.get(), EPOLL_CTL_ADD, connection.get(), &wanted) != 0) return;
  arrived_.emplace(last_, Arrived{uid, std::move(connection), false, Clock::now() + kMostIdle});
  ++numbers_[uid];
}

Arrivals::State Arrivals::peek_at(const Fd& connection) {
  static std::array<char, wire::kLongestMessage> bytes;
  const auto size = ::recv(connection.get(), bytes.data(), bytes.size(), MSG_PEEK | MSG_DONTWAIT);
  if (size < 0) return errno == EAGAIN || errno == EINTR ? State::empty : State::ended;
  if (size == 0) return State::ended;
  const auto length = static_cast<std::size_t>(size);
  const bool is_whole = length == bytes.size() || std::memchr(bytes.data(), '\0', length) != nullptr;
  return is_whole ? State::whole : State::begun;
}

Fd Arrivals::remove(Place place) {
  // Remove it from epoll explicitly: a child that is being forked may have a copy of the descriptor, and epoll would go
  // on reporting events for that.
  ::epoll_ctl(events_.get(), EPOLL_CTL_DEL, place->second.connection.get(), nullptr);
  Fd connection = std::move(place->second.connection);
  const auto number = numbers_.find(place->second.uid);
  if (--number->second == 0) numbers_.erase(number);
  arrived_.erase(place);
  return connection;
}

std::vector<std::pair<uid_t, Fd>> Arrivals::take_ready() {
  std::vector<std::pair<uid_t, Fd>> ready;
  std::array<epoll_event, 256> events;
  const int count = ::epoll_wait(events_.get(), events.data(), static_cast<int>(events.size()), 0);
  const auto now = Clock::now();
  for (int i = 0; i < count; ++i) {
    const auto& event = events[static_cast<std::size_t>(i)];
    const auto place = arrived_.find(event.data.u64);
    if (place == arrived_.end()) continue;
    const uid_t uid = place->second.uid;
    // A peer that has closed can't be answered. Half a request whose rest can't come any more is no request.
    const auto state = (event.events & (EPOLLHUP | EPOLLERR)) != 0 ? State::ended : peek_at(place->second.connection);
    const bool sends_no_more = (event.events & EPOLLRDHUP) != 0;
    if (state == State::whole) {
      ready.emplace_back(uid, remove(place));
    } else if (state == State::ended || sends_no_more) {
      remove(place);
    } else if (state == State::begun && !place->second.has_begun) {
      place->second.has_begun = true;
      place->second.deadline = now + kMostForRequest;
    }
  }
  for (auto place = arrived_.begin(); place != arrived_.end();) {
    const auto following = std::next(place);
    if (place->second.deadline <= now) remove(place);
    place = following;
  }
  return ready;
}

Arrivals::Clock::time_point Arrivals::next() const {
  auto next = Clock::time_point::max();
  for (const auto& [number, arrived] : arrived_) next = std::min(next, arrived.deadline);
  return next;
}

std::size_t Arrivals::number_of(uid_t uid) const {
  const auto number = numbers_.find(uid);
  return number == numbers_.end() ? 0 : number->second;
}

std::vector<uid_t> Arrivals::users() const {
  std::vector<uid_t> users;
  for (const auto& [uid, number] : numbers_) users.push_back(uid);
  return users;
}

void Arrivals::drop_newest_of(uid_t uid) {
  const auto newest =
      std::find_if(arrived_.rbegin(), arrived_.rend(), [uid](const auto& entry) { return entry.second.uid == uid; });
  if (newest != arrived_.rend()) remove(std::prev(newest.base()));
}

void Arrivals::clear() {
  while (!arrived_.empty()) remove(arrived_.begin());
}

}  // namespace isolate
