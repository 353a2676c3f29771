#pragma once

#include <string>

#include "base/result.h"

namespace isolate {

// Returns the kernel's id of this boot. Whoever writes it into a file can tell later whether the machine has booted
// since.
Result<std::string> boot_id();

}  // namespace isolate
