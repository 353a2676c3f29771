#include "pool/lease_info.h"

#include <cstdint>
#include <nlohmann/json.hpp>

#include "linux/file.h"

namespace isolate {

std::string to_text(const LeaseInfo& info) {
  const nlohmann::json json = {{"clone", info.clone_id},
                               {"template", info.template_name},
                               {"engine", info.engine},
                               {"user", info.user},
                               {"pid", info.pid},
                               {"since", info.since},
                               {"generation", info.generation},
                               {"edit", info.edit},
                               {"waits", info.waits},
                               {"userNamespace", info.user_namespace},
                               {"guestNamespace", info.guest_namespace},
                               {"boot", info.boot},
                               {"setAside", info.set_aside}};
  return json.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace) + "\n";
}

LeaseInfo lease_info_from(const std::string& text) {
  LeaseInfo info;
  const auto json = nlohmann::json::parse(text, nullptr, false);
  if (!json.is_object()) return info;
  auto string = [&json](const char* key) {
    const auto found = json.find(key);
    return found != json.end() && found->is_string() ? found->get<std::string>() : std::string();
  };
  // Returns 0 for a number that is missing or above `most`.
  auto number = [&json](const char* key, std::uint64_t most) -> std::uint64_t {
    const auto found = json.find(key);
    if (found == json.end() || !found->is_number_unsigned()) return 0;
    const auto value = found->get<std::uint64_t>();
    return value <= most ? value : 0;
  };
  info.engine = string("engine");
  info.user = string("user");
  info.pid = static_cast<std::int64_t>(number("pid", INT64_MAX));
  info.since = static_cast<std::int64_t>(number("since", INT64_MAX));
  info.generation = number("generation", UINT64_MAX);
  info.user_namespace = number("userNamespace", UINT64_MAX);
  info.guest_namespace = number("guestNamespace", UINT64_MAX);
  info.boot = string("boot");
  auto flag = [&json](const char* key) {
    const auto found = json.find(key);
    return found != json.end() && found->is_boolean() && found->get<bool>();
  };
  info.edit = flag("edit");
  info.waits = flag("waits");
  info.set_aside = static_cast<std::int64_t>(number("setAside", INT64_MAX));
  return info;
}

}  // namespace isolate
