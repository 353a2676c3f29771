// AcquiredRoot: a root that one run has to itself, as plain data. It holds what the plan needs to know about the root.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "linux/idmap.h"
#include "store/root_source.h"

namespace isolate {

struct AcquiredRoot {
  std::string id;             // the clone's id, or for a run on a directory a name for the run; also the host name
  std::string template_name;  // empty: a run on a directory
  RootSource source;
  std::uint32_t owner = 0;  // the user to whom "/" of the template belongs on disk
  bool read_only = false;   // its file system can't map ids
  // The rest is set only for a clone that the daemon leases, because the daemon decides it.
  std::optional<IdMaps> maps;  // the id maps of the user namespace that the daemon has made
  // Whether the daemon has made a second user namespace, the guest's own. Empty: isolate decides whether to make one.
  std::optional<bool> has_namespace_below;
  std::vector<std::string> warnings;  // for the caller: protection in the guest that is weaker than usual
};

}  // namespace isolate
