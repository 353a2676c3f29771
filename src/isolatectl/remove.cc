#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>

#include "base/log.h"
#include "base/text.h"
#include "isolatectl/commands.h"

namespace isolate {
namespace {

std::vector<std::string> ids_of(const std::vector<LeaseInfo>& infos) {
  std::vector<std::string> ids;
  for (const auto& info : infos) ids.push_back(info.clone_id);
  return ids;
}

Result<void> collect_pool(Context& context, const std::string& name, bool kept_too) {
  auto pool = context.pool(name);
  for (const auto& id : TRY(pool.reap())) log::info("removed clone " + id + " of a run that had ended");
  if (kept_too) {
    for (const auto& info : TRY(pool.kept())) {
      TRY_VOID(pool.remove_kept(info.clone_id));
      log::info("removed kept clone " + info.clone_id);
    }
  }
  // No lease is taken, and no generation made, while old ones go.
  auto alone = TRY(pool.lock(FileLock::Mode::exclusive));
  std::vector<unsigned> used;
  for (const auto& info : TRY(pool.leases())) used.push_back(info.generation);
  for (const auto& info : TRY(pool.kept())) used.push_back(info.generation);
  if (!context.store().has_template(name)) {
    if (used.empty()) TRY_VOID(pool.remove_state());
    return {};
  }
  for (const auto& line : TRY(context.store().collect_garbage(name, used))) log::info("removed " + line);
  return {};
}

}  // namespace

Result<void> remove_template(Context& context, const std::string& name) {
  TRY_VOID(context.store().check_exists(name));
  auto pool = context.pool(name);
  auto editing = TRY(pool.lock_for_edit());
  TRY(pool.reap());
  auto alone = TRY(pool.lock(FileLock::Mode::exclusive));
  const auto leases = TRY(pool.leases());
  if (!leases.empty()) {
    return fail(
        fmt::format("template '{}' is in use by {}; see isolatectl ps", name, text::join(ids_of(leases), ", ")));
  }
  const auto kept = TRY(pool.kept());
  if (!kept.empty()) {
    return fail(fmt::format("template '{}' has kept clones: {}; isolatectl gc --kept removes them", name,
                            text::join(ids_of(kept), ", ")));
  }
  TRY_VOID(context.store().remove_template(name));
  return pool.remove_state();
}

Result<void> collect_garbage(Context& context, bool kept_too) {
  auto names = TRY(pool_names(context.path()));
  for (const auto& info : TRY(context.store().templates())) names.push_back(info.name);
  std::sort(names.begin(), names.end());
  names.erase(std::unique(names.begin(), names.end()), names.end());
  Result<void> outcome;
  for (const auto& name : names) {
    // One damaged template keeps its own garbage only.
    auto collected = collect_pool(context, name, kept_too);
    if (collected) continue;
    if (!outcome) log::error(outcome.error().message());
    outcome = std::move(collected);
  }
  for (const auto& line : TRY(context.store().collect_leftovers())) log::info("removed " + line);
  return outcome;
}

}  // namespace isolate
