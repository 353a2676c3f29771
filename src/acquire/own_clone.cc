#include "acquire/own_clone.h"

#include <errno.h>
#include <fmt/format.h>
#include <time.h>
#include <unistd.h>

#include "base/log.h"
#include "pool/registered.h"
#include "request/store_path.h"

namespace isolate {
namespace {

LeaseInfo lease_info(const RunRequest& request, const Caller& caller) {
  LeaseInfo info;
  info.engine = engine_name(request.engine);
  info.user = std::to_string(caller.uid);
  info.pid = ::getpid();
  info.since = ::time(nullptr);
  info.waits = request.hold;
  return info;
}

Result<TemplatePlace> locate_template(const RunRequest& request, OwnerNamespace* owner, Steps* steps) {
  const auto path = TRY(store_path(request.store, owner->caller()));
  return steps->run("store", [&] { return find_template(request.template_name, path, owner); });
}

}  // namespace

Result<void> OwnClone::prepare(GuestGroup* group, Steps* steps) {
  TRY_VOID(group->choose_parent(owner_.caller(), false, steps));
  // newuidmap and newgidmap take longest, so start them now and let them work while the run is prepared.
  if (request_.userns != UsernsMode::single) owner_.begin();
  return {};
}

Result<AcquiredRoot> OwnClone::acquire(Steps* steps) {
  place_ = TRY(locate_template(request_, &owner_, steps));
  pool_.emplace(place_.store.get(), place_.name);
  lease_.emplace(TRY(steps->run("lease", [this] { return take_lease(); })));
  source_ = lease_->root();
  mounted_ = lease_->take_mounted_root();
  if (keeps_own_id_out()) {
    source_.lower = TRY(steps->run("shifted-layers", [this] { return shifted_layers(); }));
  }
  AcquiredRoot root;
  root.id = lease_->id();
  root.template_name = lease_->generation().template_name;
  root.source = source_;
  return root;
}

Result<Lease> OwnClone::take_lease() {
  auto lease = Lease::take(&*pool_, lease_info(request_, owner_.caller()));
  if (lease || (lease.error().code() != ENOSPC && lease.error().code() != EDQUOT)) return lease;
  // The clones of runs that have ended may still take up the space, whatever their template was.
  for (const auto& name : pool_names(*place_.store).value_or(std::vector<std::string>())) {
    Pool pool(place_.store.get(), name);
    // If this fails, the second attempt says what is short.
    static_cast<void>(pool.wait_for_removals(std::chrono::seconds(10)));
    static_cast<void>(pool.reap(ReapLimits{}));
  }
  return Lease::take(&*pool_, lease_info(request_, owner_.caller()));
}

Result<bool> OwnClone::is_newest() {
  return TRY(place_.store->generation_for_runs(place_.name)).number == lease_->generation().number;
}

void OwnClone::begin_use() {
  if (const auto recorded = lease_->begin_use(::time(nullptr)); !recorded) log::warning(recorded.error().message());
}

// Whether the guest must not have the caller's own id (--userns=private). The files of an ordinary user's template
// belong to that id, so the run then needs a copy of the layers whose files belong to the user's range.
bool OwnClone::keeps_own_id_out() const {
  return !owner_.caller().is_root() && request_.userns == UsernsMode::private_range;
}

Result<std::vector<std::string>> OwnClone::shifted_layers() {
  if (!owner_.ids().has_range()) return fail(advice_on_subids(owner_.caller(), false));
  if (!place_.store->has_shifted_layers(lease_->generation())) {
    log::info("making a copy of template " + request_.template_name + " for private user namespaces, once");
  }
  return place_.store->shifted_layers(lease_->generation());
}

Result<void> OwnClone::end_use(Steps* steps) {
  return steps->run("lease-end", [this] { return lease_->end(); });
}

Result<void> OwnClone::give_back(Steps* steps) {
  mounted_.reset();
  if (!lease_) return {};
  auto ended = end_lease(steps);
  pool_->signal_use();
  if (!ended) return fail(std::move(ended).error().advise("the clone is left to the next run or isolatectl gc"));
  return {};
}

Result<void> OwnClone::end_lease(Steps* steps) {
  if (request_.keep) {
    TRY_VOID(steps->run("lease-keep", [this] { return lease_->keep(); }));
    const auto place = place_.store->show_kept(lease_->id());
    if (!place) return fail(Error(place.error()).within("kept clone " + lease_->id()));
    log::info(
        fmt::format("kept clone {}: its changes are in {}; isolatectl gc --kept removes it", lease_->id(), *place));
    return {};
  }
  const auto dropped = TRY(steps->run("lease-drop", [this] { return lease_->drop(); }));
  if (dropped == Lease::Dropped::slow) {
    log::info(
        fmt::format("clone {} takes long to remove: the next run or refresh of the template goes on with it, "
                    "or isolatectl gc",
                    lease_->id()));
  }
  return {};
}

Result<void> PlannedClone::prepare(GuestGroup* group, Steps* steps) {
  return group->choose_parent(owner_.caller(), true, steps);
}

Result<AcquiredRoot> PlannedClone::acquire(Steps* steps) {
  const auto place = TRY(locate_template(request_, &owner_, steps));
  const auto generation = TRY(place.store->generation_for_runs(place.name));
  AcquiredRoot root;
  root.id = place.store->new_clone_id(place.name);
  root.template_name = place.name;
  root.source = place.store->planned_root(generation, root.id);
  model_ = TRY(place.store->generation_root(generation));
  return root;
}

}  // namespace isolate
