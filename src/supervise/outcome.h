// RunOutcome: how a command ended, or why it could not start. From that follow isolate's message and exit status.
#pragma once

#include <optional>
#include <string>

#include "base/exit_codes.h"
#include "base/result.h"
#include "linux/process.h"

namespace isolate {

struct RunOutcome {
  std::optional<ExitStatus> ended;  // the command's own end
  int exec_error = 0;               // errno: the command could not be executed
  int directory_error = 0;          // errno: its working directory could not be entered
  int setup_error = 0;              // errno: a limit, a filter or the terminal could not be set up
  int user_error = 0;               // errno: its user namespace could not be made
  bool timed_out = false;           // isolate ended the command at its timeout
  bool was_told_to_end = false;     // isolate got a signal that asks for an end
  int output_error = 0;             // errno: some output of the guest's own terminal could not be written
  std::string engine_error;         // what the engine printed, or that isolate-init is silent; empty: nothing

  // Errors: the working directory, the limits, terminal or filters, or the command's user could not be set up.
  Result<void> check_setup(const std::string& directory) const;
  // The message for exec_error, which names the command.
  std::string start_error(const std::string& command) const;
  int exit_status() const;
  // `copied`: the result of the processes that copy streams. Returns it, or an error if output_error is set.
  Result<int> check_output(Result<int> copied) const;
};

}  // namespace isolate
