// A further command for a running guest, as isolatectl exec sends it to the isolate of the run, and that to
// isolate-init: a message in a file, see linux/init_protocol.h (ExecSetup).
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/fd.h"
#include "base/result.h"
#include "linux/signal_reset.h"

namespace isolate {

struct ExecRequest {
  std::vector<std::string> command;
  std::vector<std::string> variables;  // NAME=VALUE, to be added to the environment of the run
  std::string directory;               // in the guest, absolute; empty: that of the run
  bool own_terminal = false;           // 0 and 1 are a new terminal of the guest's
  bool own_error = false;              // and 2 too
  SignalState signals{};               // what the command inherits of who asks for it
};

// Errors: plain text: it is too long.
Result<std::string> to_message(const ExecRequest& request);

// Whether it is a whole message of that kind and nothing else. Errors: plain text: what is wrong.
Result<void> check_message(std::string_view message);

// check_message() of a sealed file (see sealed_file()) that another process has made. Errors: it can still be changed,
// or is too long.
Result<void> check_sealed_message(const Fd& file);

}  // namespace isolate
