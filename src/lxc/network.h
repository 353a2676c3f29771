// The network of a container that is connected with a bridge of the host.
#pragma once

#include <sys/types.h>

#include "base/result.h"

namespace isolate::lxc {

// Makes a network namespace, and asks isolate by `socket` to connect it. Gives back the process that is in it, which
// stays as long as this one's pid namespace. Errors: what isolate says.
Result<pid_t> make_bridged_network(int socket);

}  // namespace isolate::lxc
