// An X server of the guest's own, which shows its screen in a window of the caller's display.
#pragma once

#include "base/result.h"
#include "share/x_helper.h"

namespace isolate::x11 {

// Starts the server, sends isolate a cookie and the server's socket, and waits until isolate or the server has ended.
// `given` is a connection to a Wayland compositor if the task names no X display, and otherwise the socket of that
// display, as isolate has checked it (O_PATH). Errors: the server does not start.
//
// The server has mount and network namespaces of its own, so that no other process finds its socket and its other files
// by name. They vanish with the server, however it ends, and its display number need not be free on the host.
Result<void> run_nested_server(const XTask& task, Fd given);

}  // namespace isolate::x11
