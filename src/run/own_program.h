// The other programs of isolate.
#pragma once

#include <string>

#include "base/fd.h"
#include "base/result.h"

namespace isolate {

// One of isolate's programs, beside this one or where a package puts it.
Result<Fd> open_own_program(const std::string& name);

}  // namespace isolate
