#include "launch/group_entry.h"

#include <fcntl.h>

#include <cstdint>
#include <nlohmann/json.hpp>
#include <utility>

#include "limits/cgroup.h"
#include "linux/file.h"
#include "linux/fork_to_execute.h"
#include "wire/client.h"

namespace isolate {

Result<ChildProcess> fork_in_group(std::uint64_t namespaces, std::optional<GroupEntry>* entry, Steps* steps,
                                   const std::function<int()>& body) {
  if (!*entry || !(*entry)->lease.empty()) return fork_to_execute(body, namespaces);
  const auto open_group = [&] { return open_file(AT_FDCWD, (*entry)->path, O_RDONLY | O_DIRECTORY); };
  const auto group = TRY(steps->run("control-group", open_group));
  // The child must find `entry` cleared.
  auto left = std::exchange(*entry, std::nullopt);
  if (auto child = fork_child_in_group(group.get(), namespaces, body)) return child;
  *entry = std::move(left);
  return fork_to_execute(body, namespaces);
}

Result<void> enter_group(const GroupEntry& entry) {
  if (entry.lease.empty()) return move_to_control_group(entry.path, "0");
  auto client = wire::Client::connect();
  if (!client) return fail(client.error().message);
  const auto entered = client->call("EnterGroup", wire::Json{{"lease", entry.lease}});
  if (!entered) return fail(entered.error().message);
  return {};
}

}  // namespace isolate
