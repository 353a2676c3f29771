#include "x11/task.h"

#include <poll.h>
#include <signal.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "linux/socket.h"

namespace isolate::x11 {
namespace {

// isolate waits as long for the answer and for the end (share/x_helper.cc).
constexpr unsigned kSecondsForStart = 20;
constexpr unsigned kSecondsForEnd = 3;

sigset_t termination() {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGTERM);
  return set;
}

}  // namespace

void limit_time_of_start() {
  ::signal(SIGTERM, SIG_DFL);  // the caller may ignore it, and an ignored signal never becomes pending
  ::alarm(kSecondsForStart);
}

void hold_termination() {
  ::alarm(0);
  const auto set = termination();
  ::sigprocmask(SIG_BLOCK, &set, nullptr);
}

Result<void> answer(const Result<XCookie>& cookie, const std::vector<int>& descriptors) {
  return send_message(kXHelperControl, packed(cookie), descriptors);
}

void wait_for_end(const std::vector<int>& others, const std::function<bool()>& look) {
  const auto set = termination();
  const Fd terminated(::signalfd(-1, &set, SFD_CLOEXEC));
  std::vector<pollfd> sources = {{kXHelperControl, POLLIN, 0}, {terminated.get(), POLLIN, 0}};
  for (const int other : others) sources.push_back({other, POLLIN, 0});
  for (;;) {
    const int ready = ::poll(sources.data(), sources.size(), -1);
    if (ready < 0 && errno == EINTR) continue;
    // isolate sends nothing more, so any event on its connection means that it has ended.
    if (ready < 0 || sources[0].revents != 0 || sources[1].revents != 0 || !look()) break;
  }
  ::alarm(kSecondsForEnd);
}

}  // namespace isolate::x11
