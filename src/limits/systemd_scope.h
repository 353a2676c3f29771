// A scope of systemd's: a control group of its own for a process, in which it may make others (systemd.scope(5)).
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <string>

#include "base/result.h"

namespace isolate {

// The socket of the systemd that this user may ask: the machine's for root, otherwise his own
// ($XDG_RUNTIME_DIR/systemd/private). Errors: there is none, with what to do.
Result<std::string> systemd_socket(uid_t uid);

// Has systemd move this process into a new scope NAME.scope, delegated to its user. Gives back the scope's directory,
// when this process is there. Errors: systemd's own words; it takes longer than 10 seconds.
Result<std::string> enter_systemd_scope(const std::string& socket, const std::string& name);

// The call of StartTransientUnit as a D-Bus message (the D-Bus specification, "Message Protocol").
std::string scope_message(const std::string& unit, std::uint32_t pid);

}  // namespace isolate
