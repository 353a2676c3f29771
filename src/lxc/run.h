// What runs in a container.
#pragma once

#include "lxc/container.h"

namespace isolate::lxc {

// Runs isolate-init, `init` being its null-terminated argument list, and comes back when the container has ended. Where
// the root has an init of its own, /sbin/init, that is booted, and isolate-init runs beside it; otherwise it is
// process 1. Errors: what LXC has to say, in one line.
Result<void> run_container(ContainerRequest request, char** init);

}  // namespace isolate::lxc
