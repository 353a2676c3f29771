#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdint>
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

// Destroys all used clones of the pool. First waits up to ten seconds for other processes that are destroying some of
// them: a run that has just ended may still be removing its clone. `kept` are those that the user asked to remove
// although they were kept; the messages say so.
Result<void> reap_all(Pool* pool, const std::vector<std::string>& kept = {}) {
  const auto left = TRY(pool->wait_for_removals(std::chrono::seconds(10)));
  const auto report = TRY(pool->reap(ReapLimits::patient()));
  for (const auto& id : report.destroyed) {
    const bool was_kept = std::find(kept.begin(), kept.end(), id) != kept.end();
    log::info(was_kept ? "removed kept clone " + id : "removed clone " + id + " of a run that had ended");
  }
  TRY_VOID(report.outcome());
  if (left.empty()) return {};
  return fail(fmt::format("clone {} is still being removed by another process; try again later", left.front()));
}

// Returns the draft of an edit that was neither published nor discarded, and tells the user about it. gc never removes
// it.
Result<std::optional<LeaseInfo>> find_and_report_draft(const Pool& pool) {
  auto draft = TRY(pool.draft());
  if (draft) {
    log::info(
        fmt::format("template {0} has unpublished changes of an edit, which gc leaves alone; isolatectl template edit "
                    "{0} --continue, --publish or --discard",
                    pool.template_name()));
  }
  return draft;
}

Result<void> collect_generations(Store* store, Pool* pool) {
  const auto& name = pool->template_name();
  // The lock keeps others from taking a lease or making a generation while old generations are removed.
  auto alone = TRY(pool->lock(FileLock::Mode::exclusive));
  std::vector<std::uint64_t> used;
  const auto add = [&used](const std::vector<LeaseInfo>& infos) {
    for (const auto& info : infos) used.push_back(info.generation);
  };
  add(TRY(pool->leases()));
  add(TRY(pool->kept()));
  add(TRY(pool->fresh()));
  if (!TRY(store->has_template(name))) {
    if (used.empty()) TRY_VOID(pool->remove_state());
    return {};
  }
  for (const auto& line : TRY(store->collect_garbage(name, used))) log::info("removed " + line);
  return {};
}

Result<void> collect_pool(Store* store, const std::string& name, bool kept_too) {
  Pool pool(store, name);
  const auto draft = TRY(find_and_report_draft(pool));
  std::vector<std::string> kept;
  if (kept_too) kept = ids_of(TRY(pool.kept()));
  if (draft) std::erase(kept, draft->clone_id);  // a draft is a user's work; only `edit --discard` removes it
  for (const auto& id : kept) TRY_VOID(pool.discard_kept(id));
  auto reaped = reap_all(&pool, kept);
  // Go on even if a clone could not be removed: it needs only its own generation, and the others can go.
  TRY_VOID(collect_generations(store, &pool));
  return reaped;
}

}  // namespace

Result<void> remove_template(Context& context, const std::string& asked) {
  const auto [store, name] = TRY(context.find(asked));
  Pool pool(store.get(), name);
  auto editing = TRY(pool.lock_for_edit());
  // Fresh clones, which nobody uses, must not keep the template from being removed.
  if (!TRY(pool.fresh()).empty()) TRY(pool.refresh({0, true, false}));
  TRY_VOID(reap_all(&pool));
  auto alone = TRY(pool.lock(FileLock::Mode::exclusive));
  const auto leases = TRY(pool.leases());
  if (!leases.empty()) {
    if (std::all_of(leases.begin(), leases.end(), [](const auto& lease) { return lease.waits; })) {
      return fail(
          fmt::format("template '{}' has warm guests that wait for runs: {}; end isolatectl warm first, or each "
                      "of them with isolatectl kill",
                      name, text::join(ids_of(leases), ", ")));
    }
    return fail(fmt::format("template '{}' is in use by {}; see isolatectl ps, end one with isolatectl kill", name,
                            text::join(ids_of(leases), ", ")));
  }
  if (TRY(pool.draft()).has_value() || TRY(store->has_changes(name))) {
    return fail(
        fmt::format("template '{}' has unpublished changes of an edit; isolatectl template edit {} --discard "
                    "drops them",
                    name, asked));
  }
  const auto kept = TRY(pool.kept());
  if (!kept.empty()) {
    return fail(fmt::format("template '{}' has kept clones: {}; isolatectl gc --kept removes them", name,
                            text::join(ids_of(kept), ", ")));
  }
  TRY_VOID(store->remove_template(name));
  return pool.remove_state();
}

namespace {

Result<void> collect_store(Store* store, bool kept_too) {
  auto names = TRY(pool_names(*store));
  for (const auto& info : TRY(store->templates())) names.push_back(info.name);
  std::sort(names.begin(), names.end());
  names.erase(std::unique(names.begin(), names.end()), names.end());
  Result<void> outcome;
  for (const auto& name : names) {
    // An error of one template must not keep the garbage of the others.
    auto collected = collect_pool(store, name, kept_too);
    if (collected) continue;
    if (!outcome) log::error(outcome.error().message());
    outcome = std::move(collected);
  }
  for (const auto& line : TRY(store->collect_leftovers())) log::info("removed " + line);
  return outcome;
}

}  // namespace

Result<void> collect_garbage(Context& context, bool kept_too) {
  Result<void> outcome;
  for (const auto& store : TRY(context.stores())) {
    auto collected = collect_store(store.get(), kept_too);
    if (collected) continue;
    if (!outcome) log::error(outcome.error().message());
    outcome = std::move(collected);
  }
  return outcome;
}

}  // namespace isolate
