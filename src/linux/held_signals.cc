#include "linux/held_signals.h"

#include <sys/signalfd.h>

#include "base/trace.h"
#include "linux/signal_reset.h"

namespace isolate {
namespace {

// isolate needs these two itself, whatever the caller does with them: for stops, and for the size of a terminal.
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
  // A signal that is ignored and not blocked never arrives: it neither ends isolate nor reaches the command.
  ::sigprocmask(SIG_UNBLOCK, &ignored, nullptr);
  // A caller that ignores the ends of its children must not keep isolate from learning of the ends of its own.
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
