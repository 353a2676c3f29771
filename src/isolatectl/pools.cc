#include <fmt/format.h>

#include <cstdint>
#include <nlohmann/json.hpp>

#include "base/log.h"
#include "base/text.h"
#include "isolatectl/commands.h"
#include "isolatectl/daemon.h"
#include "isolatectl/output.h"
#include "isolatectl/table.h"
#include "pool/based_range.h"

namespace isolate {
namespace {

Json row_of(const Pool& pool, const PoolStatus& status) {
  return {{"template", pool.template_name()},
          {"store", pool.store().description()},
          {"size", status.size},
          {"fresh", status.fresh},
          {"leased", status.leased},
          {"kept", status.kept},
          {"waiting", status.trash}};
}

// Adds the daemon's pools that the name `asked` can mean, or all of them if it is empty.
Result<void> add_daemon_pools(const Context& context, const std::string& asked, Json* rows) {
  for (const auto& row : TRY(ask_daemon(context, "ListPools", "pools"))) {
    const auto name = row.value("template", "?");
    const auto store = row.value("store", "?");
    const auto kind = store.substr(0, store.find(':'));
    const bool is_meant = asked.empty() || asked == name || asked == kind + ":" + name ||
                          "zfs:" + asked == store + "/" + name || asked == store + "/" + name;
    if (is_meant) rows->push_back(row);
  }
  return {};
}

Result<Json> pool_rows(Context& context, const std::string& asked) {
  Json rows = Json::array();
  if (!asked.empty()) {
    TRY_VOID(add_daemon_pools(context, asked, &rows));
    if (!rows.empty()) return rows;
    const auto place = TRY(context.find(asked));
    const Pool pool(place.store.get(), place.name);
    rows.push_back(row_of(pool, TRY(pool.status())));
    return rows;
  }
  for (const auto& store : TRY(context.stores())) {
    for (const auto& name : TRY(pool_names(*store))) {
      const Pool pool(store.get(), name);
      rows.push_back(row_of(pool, TRY(pool.status())));
    }
  }
  TRY_VOID(add_daemon_pools(context, asked, &rows));
  return rows;
}

}  // namespace

Result<void> list_pools(Context& context, const std::string& name) {
  const auto rows = TRY(pool_rows(context, name));
  if (context.json()) return print(rows);
  std::vector<std::vector<std::string>> lines = {{"TEMPLATE", "STORE", "SIZE", "FRESH", "LEASED", "KEPT", "WAITING"}};
  for (const auto& row : rows) {
    lines.push_back({row.value("template", "?"), row.value("store", "?")});
    for (const char* column : {"size", "fresh", "leased", "kept", "waiting"}) {
      lines.back().push_back(std::to_string(row.value(column, 0ULL)));
    }
  }
  return print(table(lines));
}

Result<void> range_of_pool(Context& context, const std::string& name, const std::string& uid_base,
                           const std::string& gid_base) {
  if (context.asks_daemon())
    return fail("pool range needs root, because only root registers ranges for the daemon's pools");
  const auto place = TRY(context.find(name));
  const Pool pool(place.store.get(), place.name);
  if (uid_base.empty()) {
    const auto range = TRY(registered_range(pool));
    if (context.json()) return print(range ? Json{{"uid", range->uid}, {"gid", range->gid}} : Json());
    return print((range ? describe(*range) : "none") + "\n");
  }
  if (!pool.is_registered()) {
    return fail(fmt::format("template '{0}' is not registered for members; register it first: isolate -r {0} 5", name));
  }
  if (uid_base == "none") return register_range(pool, std::nullopt);
  const auto number = [](const std::string& word) { return text::number(word, "range", 1, UINT32_MAX - kGuestIds); };
  BasedRange range;
  range.uid = static_cast<std::uint32_t>(TRY(number(uid_base)));
  range.gid = gid_base.empty() ? range.uid : static_cast<std::uint32_t>(TRY(number(gid_base)));
  return register_range(pool, range);
}

namespace {

Result<TemplatePlace> find_for_resize(Context& context, const std::string& name) {
  if (context.asks_daemon()) {
    return fail(
        "pool resize and drain need root; your own store needs no pool, because isolate makes each clone when it is "
        "needed");
  }
  return context.find(name);
}

Result<void> resize(const Context& context, const TemplatePlace& place, unsigned size) {
  TRY_VOID(remember_store(context.main_store(), place.store->description()));
  const auto report = TRY(Pool(place.store.get(), place.name).refresh({size, false, true}));
  if (!context.quiet()) log::info(fmt::format("template {}: {} fresh clones", place.name, report.fresh));
  if (!report.reason.empty()) return fail(report.reason);
  return {};
}

}  // namespace

Result<void> resize_pool(Context& context, const std::string& name, unsigned size) {
  return resize(context, TRY(find_for_resize(context, name)), size);
}

Result<void> drain_pool(Context& context, const std::string& name) {
  const auto place = TRY(find_for_resize(context, name));
  // A size, even 0, would let members have clones.
  if (!Pool(place.store.get(), place.name).is_registered()) {
    return fail(fmt::format("template '{}' has no pool to drain", place.name));
  }
  return resize(context, place, 0);
}

}  // namespace isolate
