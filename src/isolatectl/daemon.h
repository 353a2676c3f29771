// What isolated tells an ordinary user about the pools of the machine, beside his own store.
#pragma once

#include <string>

#include "isolatectl/commands.h"
#include "isolatectl/output.h"

namespace isolate {

// The list `key` of the answer to METHOD. Empty for root and for whoever names a store, since they look at stores
// themselves, and where there is no daemon or the caller is not a member of the group.
Result<Json> ask_daemon(const Context& context, const std::string& method, const std::string& key);
// Has the daemon end a lease of the caller's. False where it knows none, or would not be asked (above).
Result<bool> kill_by_daemon(const Context& context, const std::string& clone_id);

}  // namespace isolate
