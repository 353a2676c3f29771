#include "acquire/root_provider.h"

#include "acquire/daemon_lease.h"
#include "acquire/directory.h"
#include "acquire/own_clone.h"

namespace isolate {
namespace {

class GivenLease : public RootProvider {
 public:
  explicit GivenLease(const Lease& lease) : lease_(lease) {}

  Result<void> prepare(GuestGroup* /*group*/, Steps* /*steps*/) override { return {}; }
  Result<AcquiredRoot> acquire(Steps* /*steps*/) override {
    AcquiredRoot root;
    root.id = lease_.id();
    root.template_name = lease_.generation().template_name;
    root.source = lease_.root();
    return root;
  }
  Result<uid_t> owner() override { return owner_of_root(lease_.root(), &mounted_); }
  Fd take_mounted_root() override { return std::move(mounted_); }

 private:
  const Lease& lease_;
  Fd mounted_;
};

}  // namespace

Result<void> RootProvider::prepare(GuestGroup* /*group*/, Steps* /*steps*/) { return {}; }

Result<bool> RootProvider::is_newest() { return fail("a warm guest needs a template"); }

Result<void> RootProvider::end_use(Steps* /*steps*/) { return {}; }

Result<void> RootProvider::give_back(Steps* /*steps*/) { return {}; }

Result<std::unique_ptr<RootProvider>> provider_for(const RunRequest& request, OwnerNamespace* owner) {
  if (!request.directory.empty()) return std::make_unique<Directory>(request, *owner);
  if (TRY(DaemonLease::is_wanted(request, owner))) return std::make_unique<DaemonLease>(request, owner->caller());
  if (request.dry_run) return std::make_unique<PlannedClone>(request, owner);
  return std::make_unique<OwnClone>(request, owner);
}

std::unique_ptr<RootProvider> provider_of(const Lease& lease) { return std::make_unique<GivenLease>(lease); }

}  // namespace isolate
