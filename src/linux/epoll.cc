#include "linux/epoll.h"

#include <algorithm>
#include <cstdint>

#include "base/trace.h"

namespace isolate {

Result<Epoll> Epoll::make() {
  return Epoll(Fd(static_cast<int>(TRY(trace::check(::epoll_create1(EPOLL_CLOEXEC), "epoll_create1", "")))));
}

Result<void> Epoll::add(int descriptor, std::uint32_t events, std::uint64_t mark) const {
  epoll_event event{};
  event.events = events;
  event.data.u64 = mark;
  TRY(trace::check(::epoll_ctl(fd_.get(), EPOLL_CTL_ADD, descriptor, &event), "epoll_ctl", "add"));
  return {};
}

std::vector<epoll_event> Epoll::ready() const {
  constexpr std::size_t kMost = 16;
  std::vector<epoll_event> events(kMost);
  const int count = ::epoll_wait(fd_.get(), events.data(), static_cast<int>(kMost), 0);
  events.resize(static_cast<std::size_t>(std::max(count, 0)));
  return events;
}

}  // namespace isolate
