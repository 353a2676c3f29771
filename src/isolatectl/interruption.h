// Interruption: SIGINT, SIGTERM and SIGHUP ask for an orderly end: what is being waited for is ended, and work undone.
#pragma once

#include "base/result.h"
#include "linux/process.h"

namespace isolate {

class Interruption {
 public:
  // From here on the signals no longer end this process; those that the caller ignores stay ignored.
  static void catch_signals();
  static bool requested();
  // Errors: "interrupted".
  static Result<void> check();
  // Waits until a read from `fd` no longer blocks. A signal that comes at any moment after catch_signals() ends the
  // wait, also one just before it. Errors: "interrupted"; those of ppoll(2).
  static Result<void> wait_until_readable(int fd);
};

// Waits for a child while `on_output` reads from `output` (-1: nothing to read) whenever there is something; it returns
// false at the end. When interrupted the child is ended: SIGTERM, and SIGKILL 5 seconds later.
Result<ExitStatus> wait_interruptibly(ChildProcess* child, int output, const std::function<bool()>& on_output);

}  // namespace isolate
