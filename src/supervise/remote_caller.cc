#include "supervise/remote_caller.h"

#include <errno.h>
#include <fmt/format.h>
#include <signal.h>
#include <sys/socket.h>

#include <algorithm>
#include <iterator>
#include <utility>

#include "linux/held_signals.h"
#include "linux/socket.h"

namespace isolate {

std::optional<warm_protocol::Signal> RemoteCaller::read() {
  warm_protocol::Signal signal{};
  const ssize_t got = ::recv(connection_.get(), &signal, sizeof signal, MSG_DONTWAIT);
  is_gone_ |= got == 0 || (got < 0 && errno != EAGAIN && errno != EINTR);
  const bool is_whole = got == static_cast<ssize_t>(sizeof signal);
  const auto* end = std::end(kHeldSignals);
  if (!is_whole || std::find(std::begin(kHeldSignals), end, signal.number) == end) return std::nullopt;
  return signal;
}

void RemoteCaller::stop() {
  is_stopped_ = true;
  [[maybe_unused]] auto sent = process_.signal(SIGSTOP);
}

void RemoteCaller::go_on() {
  if (!std::exchange(is_stopped_, false)) return;
  // The code is that of isolate's own wake-up calls (SignalOrigin::wake_up), so the run does not pass it on.
  [[maybe_unused]] auto sent = process_.signal_with_code(SIGCONT, SI_TIMER);
}

void RemoteCaller::end(int exit_status) {
  // It may have been stopped by somebody else too, and then this process could not tell. This comes first: once the run
  // knows its exit status it ends, and a SIGCONT would take away a SIGSTOP by which a debugger, or the leak checker of
  // a sanitizer, is just stopping it.
  is_stopped_ = true;
  go_on();
  // The socket has room for this: nothing but kTaken was sent before. If the run has gone, nobody needs it.
  [[maybe_unused]] auto sent = send_message(connection_.get(), fmt::format("{}{}", warm_protocol::kEnded, exit_status));
}

}  // namespace isolate
