// systemd scopes: a control group for one process, in which the process may make other groups (systemd.scope(5)).
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <string>

#include "base/result.h"

namespace isolate {

// Returns the socket of the systemd that the user may ask: the system manager for root, otherwise the user's own
// ($XDG_RUNTIME_DIR/systemd/private). Errors: there is none, with advice.
Result<std::string> systemd_socket(uid_t uid);

// Asks systemd to move this process into a new scope NAME.scope, which is delegated to the user. Waits until the
// process is there and returns the scope's directory. Errors: systemd's own message; it takes longer than 10 seconds.
Result<std::string> enter_systemd_scope(const std::string& socket, const std::string& name);

// Returns the call of StartTransientUnit as a D-Bus message (the D-Bus specification, "Message Protocol").
std::string scope_message(const std::string& unit, std::uint32_t pid);

}  // namespace isolate
