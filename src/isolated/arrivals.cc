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
  if (::epoll_ctl(events_.get(), EPOLL_CTL_ADD, connection.get(), &wanted) != 0) return;  // no memory: it is closed
  arrived_.emplace(last_, Arrived{uid, std::move(connection), false, Clock::now() + kMostIdle});
  ++numbers_[uid];
}

Arrivals::State Arrivals::look_at(const Fd& connection) {
  static std::array<char, wire::kLongestMessage> bytes;
  const auto size = ::recv(connection.get(), bytes.data(), bytes.size(), MSG_PEEK | MSG_DONTWAIT);
  if (size < 0) return errno == EAGAIN || errno == EINTR ? State::empty : State::ended;
  if (size == 0) return State::ended;
  const auto length = static_cast<std::size_t>(size);
  const bool is_whole = length == bytes.size() || std::memchr(bytes.data(), '\0', length) != nullptr;
  return is_whole ? State::whole : State::begun;
}

Fd Arrivals::take_out(Place place) {
  // A child that is just being made may have a copy, for which events would go on.
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
    // Whoever has closed can't be answered. Half a request whose end can't come any more is none.
    const auto state = (event.events & (EPOLLHUP | EPOLLERR)) != 0 ? State::ended : look_at(place->second.connection);
    const bool sends_no_more = (event.events & EPOLLRDHUP) != 0;
    if (state == State::whole) {
      ready.emplace_back(uid, take_out(place));
    } else if (state == State::ended || sends_no_more) {
      take_out(place);
    } else if (state == State::begun && !place->second.has_begun) {
      place->second.has_begun = true;
      place->second.deadline = now + kMostForRequest;
    }
  }
  for (auto place = arrived_.begin(); place != arrived_.end();) {
    const auto following = std::next(place);
    if (place->second.deadline <= now) take_out(place);
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
  if (newest != arrived_.rend()) take_out(std::prev(newest.base()));
}

void Arrivals::clear() {
  while (!arrived_.empty()) take_out(arrived_.begin());
}

}  // namespace isolate
