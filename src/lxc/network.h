// The network of a container that is connected to a bridge of the host.
#pragma once

#include <sys/types.h>

#include "base/result.h"

namespace isolate::lxc {

// Makes a network namespace and asks isolate, at the other end of `socket`, to connect it to the bridge. Returns a
// process that is in the namespace and keeps it alive until this process's pid namespace ends. Errors: those that
// isolate sends; those of clone(2) and of bringing the interfaces up.
Result<pid_t> make_bridged_network(int socket);

}  // namespace isolate::lxc
