// Directory: the root of a run on a directory itself (-t).
#pragma once

#include "acquire/root_provider.h"

namespace isolate {

class Directory : public RootProvider {
 public:
  Directory(const RunRequest& request, const OwnerNamespace& owner) : request_(request), owner_(owner) {}

  Result<void> prepare(GuestGroup* group, Steps* steps) override;
  Result<AcquiredRoot> acquire(Steps* steps) override;
  Result<uid_t> owner() override;

 private:
  const RunRequest& request_;
  const OwnerNamespace& owner_;
};

}  // namespace isolate
