// Random names that nobody can guess and that do not repeat.
#pragma once

#include <string>

namespace isolate {

// Returns 12 characters from [a-z2-7], which hold 60 random bits from getrandom(2).
std::string random_name();

}  // namespace isolate
