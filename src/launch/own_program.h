// The other programs of isolate.
#pragma once

#include <string>

#include "base/fd.h"
#include "base/result.h"

namespace isolate {

// One of isolate's programs, beside this one or where a package puts it.
Result<Fd> open_own_program(const std::string& name);

// The same program, given as its open descriptor, on a read-only mount that is in no mount namespace: whoever reaches
// it through /proc/PID/exe can't change it. Needs CAP_SYS_ADMIN over the mount namespace. Errors: those of
// open_tree(2).
Result<Fd> mount_read_only(const std::string& name, int program);

}  // namespace isolate
