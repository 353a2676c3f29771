// Finds and opens the other programs of isolate.
#pragma once

#include <string>

#include "base/fd.h"
#include "base/result.h"

namespace isolate {

// Opens one of isolate's programs: beside this program, or where the package installs it.
Result<Fd> open_own_program(const std::string& name);

// The same program on a read-only mount that no mount namespace contains, so a process that reaches it through
// /proc/PID/exe can't change it. Needs CAP_SYS_ADMIN over the mount namespace. Errors: those of open_tree(2).
Result<Fd> mount_read_only(const std::string& name, int program);

}  // namespace isolate
