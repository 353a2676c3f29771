// Where stores are.
#pragma once

#include <string>

#include "base/result.h"
#include "linux/caller.h"

namespace isolate {

// Where the caller's own store is: what was asked for, or else /var/lib/isolate for root and
// $XDG_DATA_HOME/isolate (or ~/.local/share/isolate) for others. Errors: no home directory.
Result<std::string> store_path(const std::string& asked, const Caller& caller);

}  // namespace isolate
