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

// Sets up this process's namespaces, and returns its /proc. It needs no root yet.
Result<Fd> set_up_namespaces(const EnginePlan& engine);

// Attaches `proc` to the finished root, enters the root and executes isolate-init, which is open as
// protocol::kProgramFd. Returns only after an error.
Result<void> become_init(const RunPlan& plan, int root, const Fd& proc);

}  // namespace isolate
