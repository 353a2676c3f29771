// How a command came to its end, or why it could not be started, in the words and the exit status of isolate.
#pragma once

#include <optional>
#include <string>

#include "base/exit_codes.h"
#include "base/result.h"
#include "linux/process.h"

namespace isolate {

struct RunOutcome {
  std::optional<ExitStatus> ended;  // the command's own end
  int exec_error = 0;               // errno: the command could not be started
  int directory_error = 0;          // errno: its working directory could not be entered
  int setup_error = 0;              // errno: a limit, a filter or the terminal could not be set up
  bool timed_out = false;           // it was ended because its time was over
  bool was_told_to_end = false;     // isolate got a signal that ends programs
  int output_error = 0;             // errno: not all that its own terminal shows could be written
  std::string engine_error;         // what the engine had to say when it ended before the command; empty: nothing

  // Errors: what could not be set up for it.
  Result<void> check_setup(const std::string& directory) const;
  // Why it could not be started.
  std::string start_error(const std::string& command) const;
  int exit_status() const;
  // `copied`: what became of the streams that are copied. Errors: that, or why not all of the output was written.
  Result<int> check_output(Result<int> copied) const;
};

}  // namespace isolate
