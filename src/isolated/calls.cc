#include "isolated/calls.h"

#include <fmt/format.h>
#include <time.h>
#include <unistd.h>

#include <cstdint>
#include <nlohmann/json.hpp>

#include "base/text.h"
#include "linux/caller.h"
#include "pool/disk_use_count.h"
#include "pool/end_lease.h"
#include "pool/lease_processes.h"
#include "pool/registered.h"

namespace isolate {
namespace {

using wire::Json;

std::string text_of(const Json& parameters) { return parameters.dump(-1, ' ', false, Json::error_handler_t::replace); }

Answer answer_with(const Json& parameters) { return {"", text_of(parameters), {}, false}; }

Answer failed(const Error& error) { return error_answer("Failed", error.message()); }

// Returns an answer with one list that has the rows of all registered pools.
Answer listed(const CallContext& context, const char* key,
              const std::function<Result<std::vector<Json>>(const Pool&)>& rows_of) {
  OwnerNamespace owner(Caller::current());
  const auto stores = open_all_stores(context.settings.store, &owner);
  Json list = Json::array();
  for (const auto& pool : registered_pools(stores)) {
    auto rows = rows_of(pool);
    if (!rows) continue;  // a store that can't be read has no rows
    for (auto& row : *rows) list.push_back(std::move(row));
  }
  return answer_with({{key, list}});
}

Result<std::vector<Json>> template_row(const Pool& pool) {
  const auto info = TRY(pool.store().info(pool.template_name()));
  const auto status = TRY(pool.status());
  return std::vector<Json>{{{"name", info.name},
                            {"store", pool.store().description()},
                            {"generation", info.generation},
                            {"size", status.size},
                            {"fresh", status.fresh}}};
}

Result<std::vector<Json>> pool_row(const Pool& pool) {
  const auto status = TRY(pool.status());
  return std::vector<Json>{{{"template", pool.template_name()},
                            {"store", pool.store().description()},
                            {"size", status.size},
                            {"fresh", status.fresh},
                            {"leased", status.leased},
                            {"kept", status.kept},
                            {"waiting", status.trash}}};
}

void add_usage(const LeaseUsage& usage, Json* row) {
  if (usage.cpu_usec) (*row)["cpuUsec"] = *usage.cpu_usec;
  if (usage.memory_bytes) (*row)["memoryBytes"] = *usage.memory_bytes;
  if (usage.tasks) (*row)["tasks"] = *usage.tasks;
}

Result<std::vector<Json>> lease_rows(const Pool& pool, const Peer& peer, const ProcessTable& processes,
                                     DiskUseCount* count) {
  std::vector<Json> rows;
  auto leases = TRY(pool.leases());
  std::erase_if(leases, [&](const auto& info) { return !peer.is_root() && info.user != std::to_string(peer.uid); });
  count->expect(leases.size());
  for (const auto& info : leases) {
    const auto disk = count->use_of(&pool.store(), info.clone_id);
    if (!disk) continue;  // the lease has ended meanwhile
    rows.push_back({{"lease", info.clone_id},
                    {"template", info.template_name},
                    {"store", pool.store().description()},
                    {"user", info.user},
                    {"pid", info.pid},
                    {"since", info.since},
                    {"engine", info.engine},
                    {"bytes", disk->bytes}});
    if (info.waits) rows.back()["waits"] = true;
    if (!disk->is_complete) rows.back()["bytesIncomplete"] = true;
    add_usage(lease_usage(pool, info, processes), &rows.back());
  }
  return rows;
}

Answer call_list_leases(const CallContext& context) {
  const auto processes = ProcessTable::read();
  if (!processes) return failed(processes.error());
  DiskUseCount count;
  return listed(context, "leases",
                [&](const Pool& pool) { return lease_rows(pool, context.peer, *processes, &count); });
}

Answer status_answer(const CallContext& context) {
  return answer_with({{"version", ISOLATE_VERSION},
                      {"pid", context.settings.daemon},
                      {"connections", context.settings.connections},
                      {"waiting", context.settings.waiting}});
}

Result<void> resize(const CallContext& context, const std::string& name, unsigned size) {
  OwnerNamespace owner(Caller::current());
  const auto place = TRY(find_registered_template(name, context.settings.store, &owner));
  return Pool(place.store.get(), place.name).set_size(size);
}

Answer call_resize(const CallContext& context, const Json& parameters) {
  constexpr std::uint64_t kMost = 10000;
  if (!context.peer.is_root()) return error_answer("PermissionDenied", "only root can set the size of a pool");
  const auto name = parameters.find("template");
  const auto size = parameters.find("size");
  if (name == parameters.end() || !name->is_string() || size == parameters.end() || !size->is_number_unsigned() ||
      size->get<std::uint64_t>() > kMost) {
    return error_answer("InvalidParameter", "expected a template and a size from 0 to 10000");
  }
  const auto resized = resize(context, name->get<std::string>(), size->get<unsigned>());
  return resized ? answer_with(Json::object()) : failed(resized.error());
}

}  // namespace

Answer with_lease_of_peer(const CallContext& context, const Json& parameters,
                          const std::function<Answer(const Pool&, LeaseInfo)>& answer) {
  const auto name = parameters.find("lease");
  if (name == parameters.end() || !name->is_string())
    return error_answer("InvalidParameter", "lease: expected a string");
  const auto wanted = name->get<std::string>();
  OwnerNamespace owner(Caller::current());
  const auto stores = open_all_stores(context.settings.store, &owner);
  const auto& peer = context.peer;
  for (const auto& pool : registered_pools(stores)) {
    auto info = find_lease(pool, wanted);
    const bool is_own = info && *info && (peer.is_root() || (*info)->user == std::to_string(peer.uid));
    if (is_own) return answer(pool, std::move(**info));
  }
  return error_answer("NoSuchLease", "no lease '" + text::printable(wanted) + "' is running");
}

Answer call_begin_use(const CallContext& context, const Json& parameters) {
  auto answer = with_lease_of_peer(context, parameters, [](const Pool& pool, LeaseInfo info) {
    // Until the hand-over is complete, another process writes the namespaces to the state file.
    if (!info.waits || info.user_namespace == 0) {
      return error_answer("Failed", "lease " + info.clone_id + " has no warm guest that waits for a run");
    }
    const auto begun = pool.begin_use(&info, ::time(nullptr));
    return begun ? Answer{} : failed(begun.error());
  });
  answer.is_last = true;  // the client keeps the connection until its run ends
  return answer;
}

Answer error_answer(const char* name, const std::string& message) {
  const bool is_of_service = std::string_view(name) == "InvalidParameter";
  return {fmt::format("{}.{}", is_of_service ? "org.varlink.service" : wire::kManager, name),
          text_of({{"message", message}}),
          {},
          false};
}

std::optional<Answer> call_manager(const CallContext& context, const std::string& method, const Json& parameters) {
  if (method == "Lease") return call_lease(context, parameters);
  if (method == "EnterGroup") return call_enter_group(context, parameters);
  if (method == "BeginUse") return call_begin_use(context, parameters);
  if (method == "GetGeneration") return call_get_generation(context, parameters);
  if (method == "ListTemplates") return listed(context, "templates", template_row);
  if (method == "ListPools") return listed(context, "pools", pool_row);
  if (method == "ListLeases") return call_list_leases(context);
  if (method == "Kill") return call_kill(context, parameters);
  if (method == "GetStatus") return status_answer(context);
  if (method == "ResizePool") return call_resize(context, parameters);
  return std::nullopt;
}

}  // namespace isolate
