// A read-only mount of a terminal's device: the guest can read and write the terminal there, but nobody can change its
// mode, owner or times through it.
#pragma once

#include "base/fd.h"
#include "base/result.h"

namespace isolate {

// Returns a detached read-only mount of the device of the terminal `fd`. Needs the right to create mounts. Errors: the
// terminal has no name in this mount namespace.
Result<Fd> read_only_terminal(int fd);

// Opens the terminal `fd` again on such a mount, with the same access mode. The new open file shares no flags
// (O_NONBLOCK, O_ASYNC) with `fd`. Errors: those of open(2); EBUSY somebody has set exclusive mode (TIOCEXCL).
Result<Fd> reopen_terminal(int fd, const Fd& mount);

}  // namespace isolate
