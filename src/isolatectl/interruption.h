// Interruption: how isolatectl reacts to SIGINT, SIGTERM and SIGHUP. It ends the program that it is waiting for,
// removes what it has made so far, and exits.
#pragma once

#include "base/result.h"
#include "linux/process.h"

namespace isolate {

class Interruption {
 public:
  // From here on these signals only set a flag instead of ending the process. Those that the caller ignores stay
  // ignored.
  static void catch_signals();
  static bool requested();
  // Errors: one of the signals has come since catch_signals().
  static Result<void> check();
  // Waits until a read from `fd` no longer blocks. A signal ends the wait, even if it came just before the wait, at any
  // time after catch_signals(). Errors: a signal came; those of ppoll(2).
  static Result<void> wait_until_readable(int fd);
};

// Waits for a child to end. Meanwhile it calls `on_output` whenever `output` is readable (-1: there is no output);
// `on_output` returns false at the end of the output. When a signal asks for an end, the child gets SIGTERM, and
// SIGKILL 5 seconds later.
Result<ExitStatus> wait_interruptibly(ChildProcess* child, int output, const std::function<bool()>& on_output);

}  // namespace isolate
