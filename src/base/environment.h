// Variables of this process.
#pragma once

#include <cstdlib>
#include <string>

namespace isolate {

// Returns the variable's value; "" if it is not set or empty, which mean the same to most programs.
inline std::string environment_variable(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? "" : value;
}

}  // namespace isolate
