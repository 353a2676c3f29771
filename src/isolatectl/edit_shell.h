// The shell of an edit: which one, how its prompt says where one is, and the question at its end.
#pragma once

#include <string>
#include <vector>

#include "base/result.h"

namespace isolate {

struct EditShell {
  std::vector<std::string> command;
  std::vector<std::string> environment;  // NAME=VALUE
};

// bash where the root has it, otherwise sh. On a terminal its prompt begins with [edit NAME], whatever the template's
// own files make of the prompt; nothing in the template is changed for that. Errors: there is no shell.
Result<EditShell> shell_of(const std::string& template_name, const std::vector<std::string>& directories,
                           bool on_terminal);

enum class Answer { keep, drop, later };
// Asks on the terminal of standard input and error. A signal, or the end of the input, means later.
Answer ask_whether_to_keep(const std::string& template_name);

}  // namespace isolate
