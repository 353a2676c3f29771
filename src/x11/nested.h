// An X server of the guest's own, which shows its screen in a window of the caller's display.
#pragma once

#include "base/result.h"
#include "share/x_helper.h"

namespace isolate::x11 {

// `given` is a connection with a Wayland compositor if the task names no X display, and otherwise the socket of that
// display, as isolate has checked it (O_PATH). Starts the server, sends
// isolate a cookie and the server's socket, and waits until isolate or the server has ended. Errors: the server does
// not start.
//
// The server has mount and network namespaces of its own, so that its socket and its other files have names for nobody
// else. They go with it, however it ends, and it needs no display number that is free on the host.
Result<void> run_nested_server(const XTask& task, Fd given);

}  // namespace isolate::x11
