#include "linux/held_signals.h"

#include <sys/signalfd.h>

#include "base/trace.h"
#include "linux/signal_reset.h"

namespace isolate {
namespace {

// isolate needs these two even if the caller ignores them: SIGCONT to continue the guest after a stop, SIGWINCH to pass
// on the size of the terminal.
bool is_always_held(int signal) { return signal == SIGCONT || signal == SIGWINCH; }

}  // namespace

void hold_signals() {
  const auto& callers = signals_of_caller();
  sigset_t held;
  sigset_t ignored;
  sigemptyset(&held);
  sigemptyset(&ignored);
  for (const int number : kHeldSignals) {
    const bool is_held = is_always_held(number) || !has_signal(callers.ignored, number);
    sigaddset(is_held ? &held : &ignored, number);
  }
  ::sigprocmask(SIG_BLOCK, &held, nullptr);
  // An ignored signal has to be unblocked: a blocked one would still be queued for the signalfd and passed on to the
  // command.
  ::sigprocmask(SIG_UNBLOCK, &ignored, nullptr);
  // If the caller ignores SIGCHLD, the kernel reaps isolate's children before isolate can read how they ended.
  ::signal(SIGCHLD, SIG_DFL);
  ::signal(SIGPIPE, SIG_IGN);
}

Result<Fd> held_signals() {
  sigset_t set;
  sigemptyset(&set);
  for (const int number : kHeldSignals) sigaddset(&set, number);
  return Fd(static_cast<int>(TRY(trace::check(::signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK), "signalfd", ""))));
}

}  // namespace isolate
