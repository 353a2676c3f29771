// Further commands in a running guest: each has a process of its own that starts it, reports on it to who has asked for
// it, and passes his signals on.
#pragma once

#include <sys/types.h>

#include "init/report.h"

namespace isolate::init {

// Starts one as it was received with Kind::exec. Whatever goes wrong is told over its own socket. `signals`: see
// hold_signals().
void start_exec(const protocol::Setup& setup, const Received& received, int signals);

// A child that may be such a process has ended, or was stopped, by the guest: then it goes on at once.
void exec_changed(pid_t pid, int status);

}  // namespace isolate::init
