#include "launch/group_entry.h"

#include <nlohmann/json.hpp>

#include "limits/cgroup.h"
#include "wire/client.h"

namespace isolate {

Result<void> enter_group(const GroupEntry& entry) {
  if (entry.lease.empty()) return move_to_control_group(entry.path, "0");
  auto client = wire::Client::connect();
  if (!client) return fail(client.error().message);
  const auto entered = client->call("EnterGroup", wire::Json{{"lease", entry.lease}});
  if (!entered) return fail(entered.error().message);
  return {};
}

}  // namespace isolate
