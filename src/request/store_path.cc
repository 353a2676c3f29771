#include "request/store_path.h"

#include <cstdlib>

namespace isolate {

std::string data_home(const Caller& caller) {
  const char* set = std::getenv("XDG_DATA_HOME");
  if (set != nullptr && *set == '/') return set;
  const auto home = caller.home();
  return home.empty() ? "" : home + "/.local/share";
}

Result<std::string> store_path(const std::string& asked, const Caller& caller) {
  if (!asked.empty()) return asked;
  if (caller.is_root()) return std::string("/var/lib/isolate");
  const auto data = data_home(caller);
  if (data.empty())
    return fail(
        "no store: HOME is not set, and the user database has no home directory for you; set HOME, or name a directory "
        "with --store");
  return data + "/isolate";
}

}  // namespace isolate
