// Messages of a program for people, on stderr: short, one line each, colour only on a terminal and without NO_COLOR.
// Only programs log; libraries return errors.
#pragma once

#include <string_view>

namespace isolate::log {

// `program` stands before each message. `quiet` leaves only warnings and errors.
void set_up(std::string_view program, bool quiet);
void error(std::string_view message);
void warning(std::string_view message);
void info(std::string_view message);
bool stderr_is_terminal();

}  // namespace isolate::log
