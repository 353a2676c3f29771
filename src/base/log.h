// Messages for people, on stderr: one short line each. The kind is coloured only on a terminal, and not if NO_COLOR is
// set. Only programs log; library code returns errors.
#pragma once

#include <string_view>

namespace isolate::log {

// Every message begins with `program`. `quiet` suppresses info(), but not warnings and errors.
void set_up(std::string_view program, bool quiet);
void error(std::string_view message);
void warning(std::string_view message);
void info(std::string_view message);
bool stderr_is_terminal();

}  // namespace isolate::log
