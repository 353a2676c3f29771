// The descriptors with which an engine starts.
#pragma once

#include "base/result.h"
#include "launch/launcher.h"

namespace isolate {

// Copies that execve(2) closes, as it does all other descriptors; -1: none.
struct KeptDescriptors {
  int report = -1;  // where the launcher writes why the engine has not started
  int engine_program = -1;
};

// A successful execve(2) leaves 0 and 1, the program isolate-init, the control socket, the setup, and two descriptors
// for standard error: the engine's is isolate's report pipe, and isolate-init gives the command the other one. `kept`
// is filled in even if this fails.
Result<void> arrange_descriptors(const LauncherFds& fds, KeptDescriptors* kept);

}  // namespace isolate
