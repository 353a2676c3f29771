// The descriptors with which an engine starts.
#pragma once

#include "base/result.h"
#include "launch/launcher.h"

namespace isolate {

// Copies of descriptors that the launcher uses until execve(2) closes them. -1: the run has no such descriptor.
struct KeptDescriptors {
  int report = -1;  // where the launcher writes why the engine has not started
  int engine_program = -1;
};

// Puts the engine's descriptors at the numbers at which isolate-init looks for them, and makes execve(2) close all
// others. A successful execve(2) leaves 0 and 1, the program isolate-init, the control socket, the setup, and two
// descriptors for standard error: 2 is isolate's report pipe, for the engine, and isolate-init gives the command the
// other one. `kept` is filled in even if this fails.
Result<void> arrange_descriptors(const LauncherFds& fds, KeptDescriptors* kept);

}  // namespace isolate
