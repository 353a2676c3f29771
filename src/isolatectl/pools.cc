#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "base/log.h"
#include "isolatectl/commands.h"
#include "isolatectl/output.h"
#include "isolatectl/table.h"

namespace isolate {
namespace {

struct PoolRow {
  std::string name;
  std::string store;
  PoolStatus status;
};

Result<std::vector<PoolRow>> pool_rows(Context& context, const std::string& asked) {
  std::vector<PoolRow> rows;
  if (!asked.empty()) {
    const auto place = TRY(context.find(asked));
    rows.push_back({place.name, place.store->description(), TRY(Pool(place.store.get(), place.name).status())});
    return rows;
  }
  for (const auto& store : TRY(context.stores())) {
    for (const auto& name : TRY(pool_names(*store))) {
      rows.push_back({name, store->description(), TRY(Pool(store.get(), name).status())});
    }
  }
  return rows;
}

}  // namespace

Result<void> list_pools(Context& context, const std::string& name) {
  const auto rows = TRY(pool_rows(context, name));
  if (context.json()) {
    Json list = Json::array();
    for (const auto& [pool, store, status] : rows) {
      list.push_back({{"template", pool},
                      {"store", store},
                      {"size", status.size},
                      {"fresh", status.fresh},
                      {"leased", status.leased},
                      {"kept", status.kept},
                      {"waiting", status.trash}});
    }
    return print(list);
  }
  std::vector<std::vector<std::string>> lines = {{"TEMPLATE", "STORE", "SIZE", "FRESH", "LEASED", "KEPT", "WAITING"}};
  for (const auto& [pool, store, status] : rows) {
    lines.push_back({pool, store, std::to_string(status.size), std::to_string(status.fresh),
                     std::to_string(status.leased), std::to_string(status.kept), std::to_string(status.trash)});
  }
  return print(table(lines));
}

Result<void> resize_pool(Context& context, const std::string& name, unsigned size) {
  const auto place = TRY(context.find(name));
  TRY_VOID(remember_store(context.main_store(), place.store->description()));
  const auto report = TRY(Pool(place.store.get(), place.name).refresh({size, false, true}));
  if (!context.quiet()) log::info(fmt::format("template {}: {} fresh clones", place.name, report.fresh));
  if (!report.reason.empty()) return fail(report.reason);
  return {};
}

}  // namespace isolate
