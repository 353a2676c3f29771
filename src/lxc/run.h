// Runs isolate-init in a container.
#pragma once

#include "lxc/container.h"

namespace isolate::lxc {

// Runs isolate-init and returns when the container has ended. `init` is its null-terminated argument list. If the root
// has an init, /sbin/init, and this process has a control group of its own, the init is booted and isolate-init runs
// beside it. Otherwise isolate-init is process 1 of the container. Errors: those of LXC, as one line.
Result<void> run_container(ContainerRequest request, char** init);

}  // namespace isolate::lxc
