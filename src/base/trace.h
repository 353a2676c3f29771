// Trace: the lines that -x prints, one for each system call of ours with its result. Off unless switched on.
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"

namespace isolate::trace {

void enable();
bool enabled();
void line(std::string_view text);

// Turns the return value of a system call (-1 and errno on failure) into a Result, and traces it.
// `subject` says what the call was about; it is formatted only where it is needed.
Result<long> check(long returned, const char* call, std::string_view subject);

}  // namespace isolate::trace
