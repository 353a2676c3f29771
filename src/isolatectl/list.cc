#include <fmt/format.h>
#include <time.h>

#include <cstdint>
#include <cstdio>
#include <nlohmann/json.hpp>

#include "base/text.h"
#include "isolatectl/commands.h"
#include "isolatectl/daemon.h"
#include "isolatectl/output.h"
#include "isolatectl/table.h"

namespace isolate {
namespace {

std::string time_text(std::int64_t seconds) {
  const time_t value = seconds;
  struct tm parts {};
  char text[32];
  if (::localtime_r(&value, &parts) == nullptr || ::strftime(text, sizeof text, "%Y-%m-%d %H:%M", &parts) == 0)
    return "?";
  return text;
}

Json to_json(const TemplateInfo& info) {
  if (!info.problem.empty()) return {{"name", info.name}, {"store", info.store}, {"problem", info.problem}};
  return {{"name", info.name},     {"store", info.store},     {"generation", info.generation},
          {"layers", info.layers}, {"created", info.created}, {"origin", info.origin}};
}

std::vector<std::string> row_of(const TemplateInfo& info) {
  if (!info.problem.empty()) return {info.name, info.store, "-", "-", "-", "damaged: " + info.problem};
  return {info.name,  info.store, std::to_string(info.generation), std::to_string(info.layers), time_text(info.created),
          info.origin};
}

// Returns nothing for a damaged template, or if the size can't be determined.
std::optional<std::uint64_t> size_of(Store* store, const TemplateInfo& info) {
  if (!info.problem.empty()) return std::nullopt;
  auto bytes = store->template_bytes(info.name);
  if (!bytes) return std::nullopt;
  return *bytes;
}

// Adds the column before the last one. The last column may be long, and numbers after it would not line up.
void add_size_column(const std::vector<std::optional<std::uint64_t>>& sizes,
                     std::vector<std::vector<std::string>>* rows) {
  (*rows)[0].insert((*rows)[0].end() - 1, "DISK");
  for (std::size_t i = 0; i < sizes.size(); ++i) {
    auto& row = (*rows)[i + 1];
    row.insert(row.end() - 1, sizes[i] ? text::human_size(*sizes[i]) : "-");
  }
}

}  // namespace

Result<void> list_templates(Context& context, bool with_size) {
  std::vector<TemplateInfo> infos;
  std::vector<std::optional<std::uint64_t>> sizes;
  for (const auto& store : TRY(context.stores())) {
    for (auto& info : TRY(store->templates())) {
      sizes.push_back(with_size ? size_of(store.get(), info) : std::nullopt);
      infos.push_back(std::move(info));
    }
  }
  const auto leasable = TRY(ask_daemon(context, "ListTemplates", "templates"));
  if (context.json()) {
    Json list = Json::array();
    for (std::size_t i = 0; i < infos.size(); ++i) {
      list.push_back(to_json(infos[i]));
      if (with_size) list.back()["bytes"] = sizes[i] ? Json(*sizes[i]) : Json(nullptr);
    }
    list.insert(list.end(), leasable.begin(), leasable.end());
    return print(list);
  }
  std::vector<std::vector<std::string>> rows = {{"NAME", "STORE", "GENERATION", "LAYERS", "CREATED", "FROM"}};
  for (const auto& info : infos) rows.push_back(row_of(info));
  for (const auto& row : leasable) {
    rows.push_back({row.value("name", "?"), row.value("store", "?"), std::to_string(row.value("generation", 0ULL)), "-",
                    "-", fmt::format("isolated, {} fresh clones", row.value("fresh", 0))});
    sizes.push_back(std::nullopt);
  }
  if (with_size) add_size_column(sizes, &rows);
  return print(table(rows));
}

Result<void> show_template(Context& context, const std::string& asked) {
  const auto [store, name] = TRY(context.find(asked));
  const auto info = TRY(store->info(name));
  const auto bytes = TRY(store->template_bytes(name));
  const Pool pool(store.get(), name);
  const auto leases = TRY(pool.leases());
  const auto kept = TRY(pool.kept());
  if (context.json()) {
    auto json = to_json(info);
    json["bytes"] = bytes;
    json["leases"] = leases.size();
    json["kept"] = kept.size();
    return print(json);
  }
  return print(fmt::format(
      "name:        {}\nstore:       {}\ngeneration:  {}\nlayers:      {}\ncreated:     {}\nfrom:        {}\n"
      "disk used:   {}\nleases:      {}\nkept clones: {}\n",
      info.name, info.store, info.generation, info.layers, time_text(info.created), text::printable(info.origin),
      text::human_size(bytes), leases.size(), kept.size()));
}

}  // namespace isolate
