// Which signals the supervisor holds back, and which ones wait until its command has started.
#include <signal.h>
#include <sys/signalfd.h>

#include <utility>

#include "base/trace.h"
#include "linux/signal_reset.h"
#include "run/supervisor.h"

namespace isolate {
namespace {

constexpr int kPassedOn[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGUSR1, SIGUSR2, SIGCONT, SIGTSTP, SIGWINCH};

// isolate itself wants these two, whatever the caller does with them: for stops, and for the size of a terminal.
bool is_own_business(int signal) { return signal == SIGCONT || signal == SIGWINCH; }

}  // namespace

void Supervisor::hold_signals() {
  const auto& callers = signals_of_caller();
  sigset_t held;
  sigset_t ignored;
  sigemptyset(&held);
  sigemptyset(&ignored);
  for (const int number : kPassedOn) {
    const bool is_held = is_own_business(number) || !has_signal(callers.ignored, number);
    sigaddset(is_held ? &held : &ignored, number);
  }
  ::sigprocmask(SIG_BLOCK, &held, nullptr);
  // One that is ignored and not blocked never comes: it neither ends isolate nor reaches the command.
  ::sigprocmask(SIG_UNBLOCK, &ignored, nullptr);
  // A caller that ignores the ends of its children must not keep us from learning of ours.
  ::signal(SIGCHLD, SIG_DFL);
  ::signal(SIGPIPE, SIG_IGN);
}

Result<Fd> Supervisor::held_signals() {
  sigset_t set;
  sigemptyset(&set);
  for (const int number : kPassedOn) sigaddset(&set, number);
  return Fd(static_cast<int>(TRY(trace::check(::signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK), "signalfd", ""))));
}

bool Supervisor::keeps_for_command(int signal) {
  if (!has_signal(signals_of_caller().blocked, signal)) return false;
  kept_signals_ |= std::uint64_t{1} << (signal - 1);
  return true;
}

void Supervisor::send_kept_signals() {
  const auto kept = std::exchange(kept_signals_, 0);
  for (const int number : kPassedOn) {
    if (has_signal(kept, number)) send_signal(number);
  }
}

}  // namespace isolate
