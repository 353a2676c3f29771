// What programs that start others undo before they do, and what they leave as their own caller had it.
#pragma once

#include <signal.h>  // isolate-init has no C++ library
#include <stdint.h>

namespace isolate {

// Signals that execve(2) hands down. Bit N-1 stands for signal N.
struct SignalState {
  uint64_t ignored;
  uint64_t blocked;
};

inline bool has_signal(uint64_t set, int number) { return (set >> (number - 1) & 1) != 0; }

inline SignalState current_signals() {
  SignalState state = {0, 0};
  sigset_t blocked;
  sigemptyset(&blocked);
  ::sigprocmask(SIG_SETMASK, nullptr, &blocked);
  for (int number = 1; number < NSIG; ++number) {
    struct sigaction action {};
    const uint64_t bit = uint64_t{1} << (number - 1);
    if (::sigaction(number, nullptr, &action) == 0 && action.sa_handler == SIG_IGN) state.ignored |= bit;
    if (sigismember(&blocked, number) == 1) state.blocked |= bit;
  }
  return state;
}

// As this process was started with them. Whoever changes signals first calls this before.
inline const SignalState& signals_of_caller() {
  static const SignalState state = current_signals();
  return state;
}

// Makes a write beyond the caller's limit of file sizes (RLIMIT_FSIZE) fail with EFBIG, which is reported like any
// other error. By default SIGXFSZ would end this process without a word. Commands get the caller's own action back.
inline void survive_file_size_limit() {
  signals_of_caller();
  ::signal(SIGXFSZ, SIG_IGN);
}

// Default actions for all signals but those in `state`, and no others blocked.
inline void reset_signals(const SignalState& state = {0, 0}) {
  sigset_t blocked;
  sigemptyset(&blocked);
  for (int number = 1; number < NSIG; ++number) {
    if (has_signal(state.blocked, number)) sigaddset(&blocked, number);
    if (number == SIGKILL || number == SIGSTOP) continue;
    ::signal(number, has_signal(state.ignored, number) ? SIG_IGN : SIG_DFL);
  }
  ::sigprocmask(SIG_SETMASK, &blocked, nullptr);
}

}  // namespace isolate
