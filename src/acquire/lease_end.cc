#include "acquire/lease_end.h"

#include <fmt/format.h>

#include "base/log.h"

namespace isolate {
namespace {

Result<void> drop(Lease* lease, Steps* steps) {
  const auto dropped = TRY(steps->run("lease-drop", [&] { return lease->drop(); }));
  if (dropped == Lease::Dropped::slow) {
    log::info(
        fmt::format("clone {} takes long to remove: the next run or refresh of the template goes on with it, "
                    "or isolatectl gc",
                    lease->id()));
  }
  return {};
}

}  // namespace

Result<void> end_lease(Store& store, Lease* lease, bool keep, Steps* steps) {
  if (!keep) return drop(lease, steps);
  TRY_VOID(steps->run("lease-keep", [&] { return lease->keep(); }));
  const auto place = store.show_kept(lease->id());
  if (!place) return fail(Error(place.error()).within("kept clone " + lease->id()));
  log::info(fmt::format("kept clone {}: its changes are in {}; isolatectl gc --kept removes it", lease->id(), *place));
  return {};
}

}  // namespace isolate
