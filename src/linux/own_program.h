// Finds and opens the programs that are installed together with this one.
#pragma once

#include <string>

#include "base/fd.h"
#include "base/result.h"

namespace isolate {

// Returns the path of such a program: beside this one, or where the package installs it.
Result<std::string> find_own_program(const std::string& name);
Result<Fd> open_own_program(const std::string& name);

// The same program on a read-only mount that no mount namespace contains, so a process that reaches it through
// /proc/PID/exe can't change it. Needs CAP_SYS_ADMIN over the mount namespace. Errors: those of open_tree(2).
Result<Fd> mount_read_only(const std::string& name, int program);

}  // namespace isolate
