// Further commands in a running guest: each has a process of its own that starts it, reports on it to who has asked for
// it, and passes his signals on.
#pragma once

#include <sys/types.h>

#include "init/report.h"

namespace isolate::init {

// Starts one as it was received with Kind::exec. Whatever goes wrong is told over its own socket. `signals`: see
// hold_signals().
void start_exec(const protocol::Setup& setup, const Received& received, int signals);

// A child has ended that may be such a process.
void exec_ended(pid_t pid);

}  // namespace isolate::init
