#include "isolate/refresh.h"

#include <fmt/format.h>

#include "base/exit_codes.h"
#include "base/log.h"
#include "linux/idmap.h"
#include "pool/pool.h"
#include "request/store_path.h"
#include "store/open.h"

namespace isolate {
namespace {

constexpr const char* kGroup = "isolate";

Result<void> check_caller(const Caller& caller) {
  if (!caller.is_root()) return fail("-r is for root, because all members of the group 'isolate' share the pools");
  if (group_id(kGroup)) return {};
  return fail("there is no group 'isolate', whose members may use the pools; make it: groupadd --system isolate");
}

Result<void> refresh_pool(const RefreshCommand& command) {
  OwnerNamespace owner(Caller::current());
  TRY_VOID(check_caller(owner.caller()));
  const auto main_store = TRY(store_path(command.store, owner.caller()));
  auto place = TRY(find_template(command.template_name, main_store, &owner));
  // Record the store, so that isolate finds this template by its name alone from now on, and the daemon and isolatectl
  // find its pool.
  TRY_VOID(remember_store(main_store, place.store->description()));
  Pool pool(place.store.get(), place.name);
  const auto report = TRY(pool.refresh({command.size, command.replace_all, command.make_new}));
  log::info(fmt::format("template {}: {} fresh clones; {} made, {} destroyed", place.name, report.fresh, report.made,
                        report.destroyed.size()));
  if (!report.reason.empty()) {
    log::warning(fmt::format("template {}: {} used clones could not be destroyed yet: {}; the next refresh tries again",
                             place.name, report.busy.size(), report.reason));
  }
  return {};
}

}  // namespace

int refresh(const RefreshCommand& command) {
  const auto refreshed = refresh_pool(command);
  if (refreshed) return 0;
  log::error(refreshed.error().message());
  return kOwnFailure;
}

}  // namespace isolate
