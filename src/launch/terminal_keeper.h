// The keeper: a process that restores the caller's terminals if isolate is killed while a guest shares them.
#pragma once

#include <vector>

#include "base/result.h"
#include "linux/process.h"
#include "linux/terminal_state.h"

namespace isolate {

// Starts the keeper. `run` is a descriptor whose other end is closed when isolate dies. `flags` are those of
// descriptors 0 to 2 (F_GETFL), or -1 if the guest can't change them. `guest` is a pidfd of the process with which the
// guest ends, or -1; the keeper waits for it, because a living guest could change the terminal again. The keeper is in
// a session of its own, so signals to isolate's process group do not reach it.
Result<ChildProcess> start_terminal_keeper(const std::vector<TerminalState>& terminals, const std::vector<int>& flags,
                                           int run, int guest);

}  // namespace isolate
