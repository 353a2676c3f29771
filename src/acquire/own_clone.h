// OwnClone: a clone that isolate makes itself, in a store that the caller may write to.
#pragma once

#include <optional>

#include "acquire/root_provider.h"
#include "store/open.h"

namespace isolate {

class OwnClone : public RootProvider {
 public:
  OwnClone(const RunRequest& request, OwnerNamespace* owner) : request_(request), owner_(*owner) {}

  Result<void> prepare(GuestGroup* group, Steps* steps) override;
  Result<AcquiredRoot> acquire(Steps* steps) override;
  Result<uid_t> owner() override { return owner_of_root(source_, &mounted_); }
  Fd take_mounted_root() override { return std::move(mounted_); }
  Result<bool> is_newest() override;
  void begin_use() override;
  Pool* pool() override { return pool_ ? &*pool_ : nullptr; }
  Result<void> end_use(Steps* steps) override;
  Result<void> give_back(Steps* steps) override;

 private:
  Result<Lease> take_lease();
  bool keeps_own_id_out() const;
  Result<std::vector<std::string>> shifted_layers();
  Result<void> end_lease(Steps* steps);

  const RunRequest& request_;
  OwnerNamespace& owner_;
  TemplatePlace place_;
  std::optional<Pool> pool_;
  std::optional<Lease> lease_;
  RootSource source_;
  Fd mounted_;
};

// For --dry-run: describes the clone that a run would get, and makes nothing.
class PlannedClone : public RootProvider {
 public:
  PlannedClone(const RunRequest& request, OwnerNamespace* owner) : request_(request), owner_(*owner) {}

  Result<void> prepare(GuestGroup* group, Steps* steps) override;
  Result<AcquiredRoot> acquire(Steps* steps) override;
  Result<uid_t> owner() override { return owner_of_root(model_, &mounted_); }

 private:
  const RunRequest& request_;
  OwnerNamespace& owner_;
  RootSource model_;  // the template's newest generation
  Fd mounted_;
};

}  // namespace isolate
