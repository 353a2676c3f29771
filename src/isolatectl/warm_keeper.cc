#include "isolatectl/warm_keeper.h"

#include <errno.h>
#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>

#include "base/log.h"
#include "isolatectl/interruption.h"
#include "linux/file.h"
#include "linux/socket.h"

namespace isolate {
namespace {

constexpr std::size_t kMostStarting = 2;  // guests that are made at the same time

bool has_ended(const ChildProcess& process) {
  pollfd end{process.pidfd(), POLLIN, 0};
  return ::poll(&end, 1, 0) != 0;
}

// The name of an event of --status-fd; "" if the line is not one.
std::string event_of(const std::string& line) {
  const auto object = nlohmann::json::parse(line, nullptr, false);
  return object.is_object() ? object.value("event", "") : "";
}

}  // namespace

Result<WarmKeeper> WarmKeeper::make(WarmKeeping keeping) {
  return WarmKeeper(std::move(keeping), TRY(Epoll::make()), TRY(IntervalTimer::each(std::chrono::seconds(1))));
}

WarmKeeper::~WarmKeeper() {
  using Clock = std::chrono::steady_clock;
  const auto deadline = Clock::now() + std::chrono::seconds(10);
  for (auto& [pid, guest] : guests_) dismiss(&guest);
  while (!guests_.empty()) {
    const auto first = guests_.begin()->first;
    const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(deadline - Clock::now()).count();
    if (!wait_readable(guests_.begin()->second.events.get(), static_cast<int>(std::max(left, 0L))).value_or(false)) {
      guests_.erase(first);  // this kills it
    } else if (!read_events(first)) {
      break;
    }
  }
  for (auto& isolate : taken_) isolate.disown();
}

Result<void> WarmKeeper::run(const std::function<void()>& on_ready) {
  TRY_VOID(sources_.add(timer_.fd(), EPOLLIN));
  bool is_told = false;
  look_after_memory();
  while (true) {
    TRY_VOID(fill());
    if (!is_told && ready() == keeping_.size) {
      on_ready();
      is_told = true;
    }
    if (!Interruption::wait_until_readable(sources_.fd())) return {};
    for (const auto& event : sources_.ready()) {
      if (event.data.u64 == 0) {
        timer_.has_elapsed();
        look_after_memory();
        TRY_VOID(look_after_template());
      } else {
        TRY_VOID(read_events(static_cast<pid_t>(event.data.u64)));
      }
    }
    reap_taken();
  }
}

std::size_t WarmKeeper::ready() const {
  return static_cast<std::size_t>(
      std::count_if(guests_.begin(), guests_.end(), [](const auto& entry) { return entry.second.is_ready; }));
}

Result<void> WarmKeeper::fill() {
  while (!is_short_of_memory_ && guests_.size() < keeping_.size && guests_.size() - ready() < kMostStarting &&
         std::chrono::steady_clock::now() >= next_start_) {
    TRY_VOID(start());
  }
  return {};
}

Result<void> WarmKeeper::start() {
  auto ends = TRY(connected_sockets("status", SocketKind::stream));
  SpawnFds descriptors;
  descriptors.out = ends[1].get();
  Guest guest;
  guest.begun = std::chrono::steady_clock::now();
  guest.generation = TRY(keeping_.generation());
  guest.isolate = TRY(spawn(keeping_.hold, descriptors));
  const auto pid = guest.isolate.pid();
  TRY_VOID(sources_.add(ends[0].get(), EPOLLIN, static_cast<std::uint64_t>(pid)));
  guest.events = std::move(ends[0]);
  guests_.emplace(pid, std::move(guest));
  return {};
}

Result<void> WarmKeeper::read_events(pid_t pid) {
  const auto found = guests_.find(pid);
  if (found == guests_.end()) return {};
  auto& guest = found->second;
  std::array<char, 1024> buffer{};
  const ssize_t got = ::recv(guest.events.get(), buffer.data(), buffer.size(), MSG_DONTWAIT);
  if (got < 0 && (errno == EAGAIN || errno == EINTR)) return {};
  if (got <= 0) {
    auto ended = std::move(guest);
    guests_.erase(found);
    return guest_has_ended(std::move(ended));
  }
  guest.line.append(buffer.data(), static_cast<std::size_t>(got));
  for (auto end = guest.line.find('\n'); end != std::string::npos; end = guest.line.find('\n')) {
    const auto event = event_of(guest.line.substr(0, end));
    guest.line.erase(0, end + 1);
    guest.is_ready |= event == "ready";
    guest.is_taken |= event == "taken";
  }
  was_ready_ |= guest.is_ready;
  if (guest.is_ready) failures_ = 0;
  return {};
}

// The other end of the events is closed: a run has taken the guest, or its isolate has ended.
Result<void> WarmKeeper::guest_has_ended(Guest guest) {
  constexpr unsigned kMostDoublings = 5;
  if (guest.is_taken) {
    taken_.push_back(std::move(guest.isolate));
    return {};
  }
  const auto status = TRY(guest.isolate.wait());
  if (guest.is_ready) return {};
  if (!was_ready_) return fail("no guest could be made: isolate ended with " + status.describe());
  // isolate has written the reason to standard error.
  next_start_ = std::chrono::steady_clock::now() + std::chrono::seconds(1U << failures_);
  failures_ = std::min(failures_ + 1, kMostDoublings);
  return {};
}

Result<void> WarmKeeper::look_after_template() {
  const auto now = std::chrono::steady_clock::now();
  if (now < next_look_) return {};
  next_look_ = now + keeping_.interval;
  const auto newest = TRY(keeping_.generation());
  for (auto& [pid, guest] : guests_) {
    if (guest.generation != newest) dismiss(&guest);
  }
  return {};
}

void WarmKeeper::look_after_memory() {
  const bool was_short = is_short_of_memory_;
  is_short_of_memory_ = keeping_.is_short_of_memory(was_short);
  if (!is_short_of_memory_) return;
  if (!was_short) {
    log::warning("less than a sixteenth of the memory is available: guests that wait are ended, the oldest first");
  }
  Guest* oldest = nullptr;
  for (auto& [pid, guest] : guests_) {
    const bool is_older = oldest == nullptr || guest.begun < oldest->begun;
    if (guest.is_ready && !guest.is_dismissed && is_older) oldest = &guest;
  }
  if (oldest != nullptr) dismiss(oldest);
}

// A signal would also end the run that takes the guest at this moment.
void WarmKeeper::dismiss(Guest* guest) {
  guest->is_dismissed = true;
  ::shutdown(guest->events.get(), SHUT_WR);
}

void WarmKeeper::reap_taken() {
  std::erase_if(taken_, [](ChildProcess& isolate) {
    if (!has_ended(isolate)) return false;
    [[maybe_unused]] auto status = isolate.wait();
    return true;
  });
}

}  // namespace isolate
