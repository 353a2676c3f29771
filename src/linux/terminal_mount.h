// A terminal's device on a mount that is read-only: it can be read and written there, but nobody can change its mode,
// its owner or its times.
#pragma once

#include "base/fd.h"
#include "base/result.h"

namespace isolate {

// A detached read-only mount of the device of the terminal `fd`. Takes the rights to make mounts. Errors: the terminal
// has no name in this mount namespace.
Result<Fd> read_only_terminal(int fd);

// The terminal `fd` opened once more on such a mount, with the access mode of `fd`. The new open file shares no flags
// (O_NONBLOCK, O_ASYNC) with `fd`. Errors as of open(2), EBUSY while somebody uses it exclusively.
Result<Fd> reopen_terminal(int fd, const Fd& mount);

}  // namespace isolate
