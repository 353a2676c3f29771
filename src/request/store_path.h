// Where a caller's own data and their store are.
#pragma once

#include <string>

#include "base/result.h"
#include "linux/caller.h"

namespace isolate {

// Returns $XDG_DATA_HOME if it is an absolute path, otherwise ~/.local/share, or "" if the caller has no home
// directory.
std::string data_home(const Caller& caller);

// Returns `asked`, the value of --store, unless it is empty. It is an absolute path: the options refuse others.
// Otherwise the caller's own store is /var/lib/isolate for root, and $XDG_DATA_HOME/isolate or ~/.local/share/isolate
// for others. Errors: the caller has no home directory.
Result<std::string> store_path(const std::string& asked, const Caller& caller);

}  // namespace isolate
