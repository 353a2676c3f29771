// What programs that start others undo before they do.
#pragma once

#include <signal.h>  // isolate-init has no C++ library

namespace isolate {

// Default actions for all signals, and none blocked.
inline void reset_signals() {
  for (int number = 1; number < NSIG; ++number) {
    if (number != SIGKILL && number != SIGSTOP) ::signal(number, SIG_DFL);
  }
  sigset_t none;
  sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
}

}  // namespace isolate
