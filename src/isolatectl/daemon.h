// Calls of the daemon isolated on behalf of an ordinary user, who sees the machine's pools only through it.
#pragma once

#include <string>

#include "isolatectl/commands.h"
#include "isolatectl/output.h"

namespace isolate {

// Calls METHOD and returns the list `key` of its reply. Returns an empty list if the context says not to ask the daemon
// (root and users who name a store look at the stores themselves), if no daemon runs, or if the caller is not a member
// of the group `isolate`. Errors: the daemon's error; a reply without that list.
Result<Json> ask_daemon(const Context& context, const std::string& method, const std::string& key);
// Has the daemon end one of the caller's leases. Returns false if the daemon was not asked, for the reasons above, or
// does not know the lease.
Result<bool> kill_by_daemon(const Context& context, const std::string& clone_id);

}  // namespace isolate
