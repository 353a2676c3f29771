// The input of a guest that would own the caller's pipe: the guest reads from a pipe of isolate's, and nothing that it
// leaves there is missing from the caller's.
#pragma once

#include "launch/stream_copier.h"

namespace isolate {

// Shows the guest in its own pipe what is in the caller's (tee(2)), and takes from the caller's pipe what the guest has
// read, until the run ends. Returns 0, or the errno of what failed.
int show_pipe(const StreamCopy& copy);

}  // namespace isolate
