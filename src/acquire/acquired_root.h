// A root that a run has to itself: what the plan needs to know of it, as plain data.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "linux/idmap.h"
#include "store/root_source.h"

namespace isolate {

struct AcquiredRoot {
  std::string id;             // of the clone; for a run on a directory, a name of this run's. It is the host name, too.
  std::string template_name;  // empty: a run on a directory
  RootSource source;
  std::uint32_t owner = 0;  // the user to whom "/" of the template belongs on disk
  bool read_only = false;   // its file system can't map ids
  // What the daemon has decided for a clone that it leases.
  std::optional<IdMaps> maps;               // of the user namespace that it has made
  std::optional<bool> has_namespace_below;  // whether it has made the guest's own below that; empty: isolate decides
  std::vector<std::string> warnings;        // what is weaker in the guest than the caller may think
};

}  // namespace isolate
