// Random names: not guessable, never the same twice.
#pragma once

#include <string>

namespace isolate {

// 12 characters of [a-z2-7], 60 bits from getrandom(2).
std::string random_name();

}  // namespace isolate
