#include "request/store_path.h"

#include <cstdlib>

namespace isolate {

Result<std::string> store_path(const std::string& asked, const Caller& caller) {
  if (!asked.empty()) return asked;
  if (caller.is_root()) return std::string("/var/lib/isolate");
  const char* data_home = std::getenv("XDG_DATA_HOME");
  if (data_home != nullptr && *data_home == '/') return std::string(data_home) + "/isolate";
  const auto home = caller.home();
  if (home.empty())
    return fail(
        "no store: HOME is not set, and the user database has no home directory for you; set HOME, or name a directory "
        "with --store");
  return home + "/.local/share/isolate";
}

}  // namespace isolate
