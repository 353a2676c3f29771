#include "share/relay_loop.h"

#include <sys/epoll.h>
#include <sys/socket.h>

#include <algorithm>
#include <cstdint>

#include "linux/file.h"
#include "linux/socket.h"

namespace isolate {
namespace {

// What epoll returns with an event: one of these, or twice the id of a connection plus the number of its end.
constexpr std::uint64_t kControl = 0;
constexpr std::uint64_t kListening = 1;

constexpr std::chrono::milliseconds kPause{100};

bool is_temporary(int error) {
  return error == EAGAIN || error == EMFILE || error == ENFILE || error == ENOMEM || error == ENOBUFS;
}

}  // namespace

Result<void> RelayLoop::run() {
  epoll_ = Fd(::epoll_create1(EPOLL_CLOEXEC));
  if (!epoll_) return fail(errno, "epoll_create1");
  TRY_VOID(control_epoll(EPOLL_CTL_ADD, control_, EPOLLIN, kControl));
  TRY_VOID(control_epoll(EPOLL_CTL_ADD, listening_.get(), 0, kListening));
  while (!is_over()) {
    TRY_VOID(listen_or_not());
    std::array<epoll_event, 64> events;
    const int count = ::epoll_wait(epoll_.get(), events.data(), events.size(), timeout());
    if (count < 0 && errno != EINTR) return fail(errno, "epoll_wait");
    for (int i = 0; i < count; ++i) {
      const auto& event = events[static_cast<std::size_t>(i)];
      TRY_VOID(handle(event.data.u64, event.events));
    }
    if (waiting_ && !is_paused()) accept_one();
    feed_starved();
  }
  return {};
}

Result<void> RelayLoop::handle(std::uint64_t key, std::uint32_t events) {
  if (key == kListening) {
    accept_one();
    return {};
  }
  if (key != kControl) {
    handle_connection(key / 2, key % 2, events);
    return {};
  }
  is_ending_ = true;
  return control_epoll(EPOLL_CTL_DEL, control_, 0, kControl);
}

void RelayLoop::handle_connection(std::uint64_t id, std::size_t side, std::uint32_t events) {
  const auto found = connections_.find(id);
  if (found == connections_.end()) return;  // an earlier event of this round has ended it
  auto& connection = *found->second;
  auto& from_side = connection.flows[side];
  auto& to_side = connection.flows[1 - side];
  if ((events & (EPOLLHUP | EPOLLERR)) != 0) {
    connection.ends[side].is_hung_up = true;
    to_side.stop();
  }
  bool is_intact = true;
  if (from_side.wants_to_read()) is_intact = from_side.move(&scratch_).has_value();
  if (is_intact && to_side.wants_to_write()) is_intact = to_side.move(&scratch_).has_value();
  const auto& [question, answer] = connection.flows;
  const bool waits_in_vain = question.awaits_answer() && answer.is_finished();
  if (!is_intact || waits_in_vain || (question.is_finished() && answer.is_finished())) {
    close(id);
  } else {
    update(id);
  }
}

void RelayLoop::accept_one() {
  // The loop may have reached the limit in this round.
  if (connections_.size() >= limits_.connections) return;
  if (!waiting_) {
    waiting_ = Fd(::accept4(listening_.get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
    if (!waiting_ && errno != EAGAIN && is_temporary(errno)) pause();
    if (!waiting_) return;
  }
  auto host = connect_stream(target_);
  if (!host && is_temporary(host.error().code())) {
    pause();
    return;
  }
  auto guest = std::move(waiting_);
  // If no server listens on the host, or a server of another user, the guest sees that its connection is closed.
  if (host && (!trusts_host_ || trusts_host_(host->get()))) add(std::move(guest), std::move(*host));
}

void RelayLoop::add(Fd guest, Fd host) {
  const auto id = next_id_++;
  connections_.emplace(id, std::make_unique<Connection>(std::move(guest), std::move(host), &budget_,
                                                        make_editor_ ? make_editor_() : nullptr));
  update(id);
}

void RelayLoop::close(std::uint64_t id) {
  starved_.erase(id);
  connections_.erase(id);
}

// Called when descriptors in transit have been sent or closed. Each of these flows checks the budget again.
void RelayLoop::feed_starved() {
  if (starved_.empty() || !budget_.has_room()) return;
  for (const auto id : std::exchange(starved_, {})) {
    for (auto& flow : connections_.at(id)->flows) flow.retry();
    update(id);
  }
}

Result<void> RelayLoop::listen_or_not() {
  const bool may_accept = connections_.size() < limits_.connections && !waiting_ && !is_paused();
  const std::uint32_t events = may_accept ? static_cast<std::uint32_t>(EPOLLIN) : 0U;
  if (events == std::exchange(listening_events_, events)) return {};
  return control_epoll(EPOLL_CTL_MOD, listening_.get(), events, kListening);
}

void RelayLoop::update(std::uint64_t id) {
  auto& connection = *connections_.at(id);
  bool is_starved = false;
  for (std::size_t side = 0; side < 2; ++side) {
    // The kernel limits the epoll registrations of a user (ENOSPC), and the guest's registrations count, too.
    if (!register_end(&connection, side, 2 * id + side)) return close(id);
    is_starved = is_starved || connection.flows[side].is_starved();
  }
  if (is_starved) starved_.insert(id);
}

// epoll reports a hang-up again and again, whatever the events are. So an end that is hung up is registered only while
// the loop can do something about it. Every other end stays registered, so that the loop notices its hang-up.
Result<void> RelayLoop::register_end(Connection* connection, std::size_t side, std::uint64_t key) const {
  auto& end = connection->ends[side];
  const std::uint32_t in = connection->flows[side].wants_to_read() ? static_cast<std::uint32_t>(EPOLLIN) : 0U;
  const std::uint32_t out = connection->flows[1 - side].wants_to_write() ? static_cast<std::uint32_t>(EPOLLOUT) : 0U;
  const bool is_needed = (in | out) != 0 || !end.is_hung_up;
  if (is_needed == end.is_registered && end.events == (in | out)) return {};
  if (!is_needed && !end.is_registered) return {};
  int operation = end.is_registered ? EPOLL_CTL_MOD : EPOLL_CTL_ADD;
  if (!is_needed) operation = EPOLL_CTL_DEL;
  end.is_registered = is_needed;
  end.events = in | out;
  return control_epoll(operation, end.socket.get(), end.events, key);
}

Result<void> RelayLoop::control_epoll(int operation, int fd, std::uint32_t events, std::uint64_t key) const {
  epoll_event event{};
  event.events = events;
  event.data.u64 = key;
  if (::epoll_ctl(epoll_.get(), operation, fd, &event) != 0) return fail(errno, "epoll_ctl");
  return {};
}

void RelayLoop::pause() { paused_until_ = Clock::now() + kPause; }

int RelayLoop::timeout() const {
  if (!is_paused()) return -1;
  const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(paused_until_ - Clock::now()).count();
  return static_cast<int>(std::max<std::int64_t>(left, 0)) + 1;
}

bool RelayLoop::is_over() const {
  return is_ending_ && connections_.empty() && !waiting_ && !wait_readable(listening_.get(), 0).value_or(false);
}

}  // namespace isolate
