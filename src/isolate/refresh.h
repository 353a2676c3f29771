// isolate -r: fresh clones kept ready.
#pragma once

#include <optional>
#include <string>

namespace isolate {

struct RefreshCommand {
  std::string template_name;     // as -z takes it
  std::string store;             // as --store gave it
  std::optional<unsigned> size;  // without: as it was last
  bool replace_all = false;
  bool make_new = true;
};

// The exit status: 0, or 125. Messages go to stderr. For root, and only where there is a group `isolate`.
int refresh(const RefreshCommand& command);

}  // namespace isolate
