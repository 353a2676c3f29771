// The first process of a guest that isolate confines itself (the engines native and chroot): it is born in its
// namespaces, enters the root and becomes isolate-init.
#pragma once

#include "base/fd.h"
#include "base/result.h"
#include "plan/plan.h"

namespace isolate {

// Mounts a /proc of this process's pid namespace, as a detached mount. The kernel allows that only to a process with
// rights over that namespace.
Result<Fd> make_proc();

// Moves this process to a network namespace of its own, if the plan says so.
Result<void> enter_own_network(const EnginePlan& engine);

// Gives this process's namespaces their host name and network. It needs no root yet.
Result<void> set_up_namespaces(const EnginePlan& engine);

// Mounts /proc in the finished root, enters the root and executes isolate-init, which is open as protocol::kProgramFd.
// This process's mount namespace has to belong to its user namespace. Returns only after an error.
Result<void> become_init(const RunPlan& plan, int root);

}  // namespace isolate
