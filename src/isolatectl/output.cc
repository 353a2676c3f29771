#include "isolatectl/output.h"

#include <cstdio>

namespace isolate {

Result<void> print(const std::string& text) {
  if (std::fputs(text.c_str(), stdout) < 0 || std::fflush(stdout) != 0) return fail(errno, "write to standard output");
  return {};
}

Result<void> print(const Json& json) { return print(json.dump(2, ' ', false, Json::error_handler_t::replace) + "\n"); }

}  // namespace isolate
