// Signal settings that a program inherits from its caller: how to read them, and how to restore them before a program
// is started.
#pragma once

#include <signal.h>  // isolate-init has no C++ library
#include <stdint.h>

namespace isolate {

// The signal settings that survive execve(2). Bit N-1 stands for signal N.
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

// The settings with which this process was started, read at the first call. Call this before you change any signal.
inline const SignalState& signals_of_caller() {
  static const SignalState state = current_signals();
  return state;
}

// Makes a write beyond the limit on file sizes (RLIMIT_FSIZE) fail with EFBIG, which isolate reports like any other
// error. By default SIGXFSZ would kill this process without a message. The command gets the caller's action back.
inline void survive_file_size_limit() {
  signals_of_caller();
  ::signal(SIGXFSZ, SIG_IGN);
}

// Resets all signals to their default action and unblocks them, except those that `state` ignores or blocks.
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
