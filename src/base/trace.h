// Trace: the lines that -x prints, one for each traced system call with its result. Nothing is printed before enable().
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"

namespace isolate::trace {

void enable();
bool enabled();
void line(std::string_view text);

// Converts the return value of a system call (-1 and errno on failure) to a Result, and traces the call. `subject`
// names the object of the call; it becomes part of the error's context.
Result<long> check(long returned, const char* call, std::string_view subject);

}  // namespace isolate::trace
