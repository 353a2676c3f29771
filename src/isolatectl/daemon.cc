#include "isolatectl/daemon.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "base/log.h"
#include "wire/client.h"

namespace isolate {

Result<Json> ask_daemon(const Context& context, const std::string& method, const std::string& key) {
  if (!context.asks_daemon()) return Json(Json::array());
  auto client = wire::Client::connect();
  // Without a daemon, or without the right to use it, the user's own stores are all there is. That is not an error.
  if (!client) return Json(Json::array());
  const auto answer = client->call(method, wire::Json::object());
  if (!answer) return fail(answer.error().message);
  const auto list = answer->find(key);
  if (list == answer->end() || !list->is_array()) {
    return fail("isolated: the reply to " + method + " has no list '" + key + "'; restart isolated after an upgrade");
  }
  return Json(*list);
}

Result<bool> kill_by_daemon(const Context& context, const std::string& clone_id) {
  if (!context.asks_daemon()) return false;
  auto client = wire::Client::connect();
  if (!client) return false;
  const auto answer = client->call("Kill", {{"lease", clone_id}});
  if (answer) return true;
  if (answer.error().refusal == wire::Refusal::no_such_lease) return false;
  return fail(answer.error().message);
}

Result<int> show_status(Context& context) {
  auto client = wire::Client::connect();
  if (!client) return fail(client.error().message);
  const auto answer = client->call("GetStatus", wire::Json::object());
  if (!answer) return fail(answer.error().message);
  if (context.json()) {
    TRY_VOID(print(Json(*answer)));
    return 0;
  }
  const auto connections = answer->value("connections", 0);
  TRY_VOID(print(fmt::format("isolated {}, pid {}: {} connection{}, {} waiting\n", answer->value("version", "?"),
                             answer->value("pid", 0), connections, connections == 1 ? "" : "s",
                             answer->value("waiting", 0))));
  return 0;
}

}  // namespace isolate
