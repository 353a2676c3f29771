// The signals that isolate blocks and reads from a descriptor during a run: those that would end isolate before it
// drops its lease, and those that it passes on to the command.
#pragma once

#include <csignal>

#include "base/fd.h"
#include "base/result.h"

namespace isolate {

constexpr int kHeldSignals[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGUSR1, SIGUSR2, SIGCONT, SIGTSTP, SIGWINCH};

// Blocks these signals, so that they wait to be read from held_signals(). Signals that the caller ignores stay ignored,
// except SIGCONT and SIGWINCH. Also ignores SIGPIPE and resets SIGCHLD to its default.
void hold_signals();
// Returns a signalfd(2) from which the held signals are read; reading never blocks.
Result<Fd> held_signals();

}  // namespace isolate
