// The value of the key Exec in a .desktop file: a command line with the quoting of the Desktop Entry Specification 1.5
// ("The Exec key"). DesktopEntry handles the escapes that all values have.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace isolate {

// Errors: an argument is not a plain line (text::is_plain_line); the program's name contains '='.
Result<std::string> exec_line(const std::vector<std::string>& command);

// Returns the words of the command line without a file to open: field codes such as %U stand for nothing, and "%%" for
// '%'. Errors: the quoting is malformed.
Result<std::vector<std::string>> words_of_exec_line(std::string_view line);

}  // namespace isolate
