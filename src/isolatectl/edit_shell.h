// The shell of `template edit`: which shell to start, how its prompt names the template, and the question at its end.
#pragma once

#include <string>
#include <vector>

#include "base/result.h"

namespace isolate {

struct EditShell {
  std::vector<std::string> command;
  std::vector<std::string> environment;  // NAME=VALUE
};

// Returns the command for a login shell: bash if the root has it, otherwise sh. On a terminal the prompt begins with
// [edit NAME] even if the template's own files set the prompt; no file of the template is changed for that.
// `directories` are those of EditDraft::directories(). Errors: the root has no shell.
Result<EditShell> shell_of(const std::string& template_name, const std::vector<std::string>& directories,
                           bool on_terminal);

enum class Answer { keep, drop, later };
// Asks on standard error and reads the answer from standard input, both of which must be the terminal. A signal that
// asks for an end, the end of the input, or an error means "later".
Answer ask_whether_to_keep(const std::string& template_name);

}  // namespace isolate
