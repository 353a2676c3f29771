// The signals that a run holds back: those that would end isolate before it has dropped its lease, and those that it
// passes on to its command.
#pragma once

#include <csignal>

#include "base/fd.h"
#include "base/result.h"

namespace isolate {

constexpr int kHeldSignals[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGUSR1, SIGUSR2, SIGCONT, SIGTSTP, SIGWINCH};

// Blocks these signals; from here on they wait to be read from held_signals(). Those that the caller ignores stay
// ignored.
void hold_signals();
// A descriptor to read them from, as of signalfd(2).
Result<Fd> held_signals();

}  // namespace isolate
