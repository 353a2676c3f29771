// Further commands in a running guest (`isolatectl exec`). isolate-init forks a process for each of them. That process
// starts the command, reports on it to the isolatectl that asked for it, and passes signals from there on to the
// command.
#pragma once

#include <sys/types.h>

#include "init/report.h"

namespace isolate::init {

// Starts the command that a message Kind::exec asks for. Errors are reported over the socket that came with the
// message. `signals` is the descriptor of hold_signals().
void start_exec(const protocol::Setup& setup, const Received& received, int signals);

// Call this when a child has changed state. If it is one of these processes and the guest has stopped it, it is
// continued at once. If it has ended, its place becomes free.
void exec_changed(pid_t pid, int status);

}  // namespace isolate::init
