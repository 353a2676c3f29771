// isolate -r: destroys the used clones of a pool and makes fresh ones.
#pragma once

#include <optional>
#include <string>

namespace isolate {

struct RefreshCommand {
  std::string template_name;     // in the form that -z takes
  std::string store;             // the value of --store; empty: the caller's own store
  std::optional<unsigned> size;  // how many fresh clones to keep ready; unset: the number of the last refresh
  bool replace_all = false;      // -f: destroy unused fresh clones as well
  bool make_new = true;          // false with -s
};

// Refreshes the pool, writes messages to standard error, and returns the exit status of isolate: 0, or 125 for any
// error. The caller must be root, and the group `isolate` must exist.
int refresh(const RefreshCommand& command);

}  // namespace isolate
