// The descriptors with which an engine starts.
#pragma once

#include "base/result.h"
#include "launch/launcher.h"

namespace isolate {

// Closed at execve, as all others are; -1: none.
struct KeptDescriptors {
  int report = -1;  // where the launcher tells why the engine has not started
  int engine_program = -1;
};

// A successful execve leaves 0 and 1, init's program, the control socket, the setup, and standard error twice: that
// of the engine is isolate's report, and isolate-init gives the command its own. `kept` is filled in also where this
// fails.
Result<void> arrange_descriptors(const LauncherFds& fds, KeptDescriptors* kept);

}  // namespace isolate
