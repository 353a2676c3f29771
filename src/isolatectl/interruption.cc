#include "isolatectl/interruption.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>

#include <array>

#include "linux/signal_reset.h"

namespace isolate {
namespace {

volatile sig_atomic_t was_requested = 0;
void on_signal(int /*number*/) { was_requested = 1; }

constexpr std::array<int, 3> kSignals = {SIGINT, SIGTERM, SIGHUP};

sigset_t interrupting_signals() {
  sigset_t signals;
  ::sigemptyset(&signals);
  for (int number : kSignals) ::sigaddset(&signals, number);
  return signals;
}

// poll() in wait_interruptibly() returns after this time, so that a signal that comes just before it is noticed at the
// latest then.
constexpr int kPollMilliseconds = 100;
constexpr int kGraceRounds = 50;  // times kPollMilliseconds: 5 seconds

}  // namespace

void Interruption::catch_signals() {
  struct sigaction action {};
  action.sa_handler = on_signal;
  for (int number : kSignals) {
    // A signal that the caller ignores, as nohup does, stays ignored.
    if (!has_signal(signals_of_caller().ignored, number)) ::sigaction(number, &action, nullptr);
  }
  ::signal(SIGPIPE, SIG_IGN);
  // Running a command in this process beforehand may have left the signals blocked.
  const auto signals = interrupting_signals();
  ::sigprocmask(SIG_UNBLOCK, &signals, nullptr);
}

bool Interruption::requested() { return was_requested != 0; }

Result<void> Interruption::check() {
  if (requested()) return fail("interrupted; nothing was left behind");
  return {};
}

Result<void> Interruption::wait_until_readable(int fd) {
  // The signals are blocked except inside ppoll(2). Otherwise a signal between the check of the flag and the wait would
  // be lost, and the wait would never end.
  const auto signals = interrupting_signals();
  sigset_t before;
  ::sigprocmask(SIG_BLOCK, &signals, &before);
  pollfd source{fd, POLLIN, 0};
  int ready = -1;
  int error = EINTR;
  while (!requested() && ready < 0 && error == EINTR) {
    ready = ::ppoll(&source, 1, nullptr, &before);
    error = errno;
  }
  ::sigprocmask(SIG_SETMASK, &before, nullptr);
  TRY_VOID(check());
  if (ready < 0) return fail(error, "ppoll");
  return {};
}

Result<ExitStatus> wait_interruptibly(ChildProcess* child, int output, const std::function<bool()>& on_output) {
  bool reading = output >= 0;
  int rounds_since_asked = -1;
  while (true) {
    pollfd sources[] = {{reading ? output : -1, POLLIN, 0}, {child->pidfd(), POLLIN, 0}};
    ::poll(sources, 2, kPollMilliseconds);
    if (Interruption::requested() && rounds_since_asked++ < 0) child->signal(SIGTERM);
    if (rounds_since_asked > kGraceRounds) child->signal(SIGKILL);
    if (reading && sources[0].revents != 0) {
      reading = on_output();
      continue;
    }
    // Do not wait for the end of the output: children of the child may still hold it open after the child has ended.
    if (sources[1].revents != 0) return child->wait();
  }
}

}  // namespace isolate
