// ExecRequest: a further command for a running guest. isolatectl exec sends it to the isolate of the run, which sends
// it on to isolate-init. Its form is a message in a sealed file, see ExecSetup in wire/init_protocol.h.
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
  std::vector<std::string> variables;  // NAME=VALUE, added to the environment of the run
  std::string directory;               // an absolute path in the guest; empty: the directory of the run
  bool own_terminal = false;           // descriptors 0 and 1 are a new terminal of the guest
  bool own_error = false;              // descriptor 2 is that terminal as well
  SignalState signals{};               // the command inherits these from the client
};

// Errors: plain text: the request is too long.
Result<std::string> to_message(const ExecRequest& request);

// Checks that the bytes are one whole message and nothing else. Errors: plain text: what is wrong with them.
Result<void> check_message(std::string_view message);

// The same for a file that another process has made. Errors also: the file is not sealed (see sealed_file()), so that
// its content could still change; it is too long.
Result<void> check_sealed_message(const Fd& file);

}  // namespace isolate
