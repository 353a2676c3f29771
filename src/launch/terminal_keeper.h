// The keeper: a process that puts the caller's terminals back to what they were, should isolate be killed while a guest
// shares them.
#pragma once

#include <vector>

#include "base/result.h"
#include "linux/process.h"
#include "linux/terminal_state.h"

namespace isolate {

// `run`: a descriptor whose other end is closed when isolate dies. `flags`: those of each of 0 to 2 (F_GETFL), -1 where
// the guest can't change them. `guest`: a pidfd of the process that the guest ends with, -1 for none: until then, what
// is put back can be spoiled again. The keeper is in a session of its own: what goes to isolate's process group does
// not reach it.
Result<ChildProcess> start_terminal_keeper(const std::vector<TerminalState>& terminals, const std::vector<int>& flags,
                                           int run, int guest);

}  // namespace isolate
