#include "base/fault.h"

#include <signal.h>
#include <unistd.h>

#include <cstdlib>
#include <string>
#include <string_view>

namespace isolate {

std::optional<Error> injected_fault([[maybe_unused]] const char* name) {
#ifdef ISOLATE_FAULT_POINTS
  const char* wanted = std::getenv("ISOLATE_FAULT");
  if (wanted == nullptr) return std::nullopt;
  if (std::string_view(wanted) == name) return Error(EIO, std::string("fault point ") + name);
  if (std::string_view(wanted) == std::string(name) + ":kill") {
    ::kill(::getpid(), SIGKILL);
    ::_exit(128 + SIGKILL);  // the kernel ignores SIGKILL that process 1 of a pid namespace sends itself
  }
#endif
  return std::nullopt;
}

Result<void> fault_point(const char* name) {
  if (auto fault = injected_fault(name)) return fail(std::move(*fault));
  return {};
}

}  // namespace isolate
