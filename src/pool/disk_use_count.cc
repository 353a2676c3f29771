#include "pool/disk_use_count.h"

namespace isolate {

Result<DiskUse> DiskUseCount::use_of(Store* store, const std::string& clone_id) {
  const auto now = std::chrono::steady_clock::now();
  // Keep one extra share for the clones of pools that are not expected yet.
  const auto shares = static_cast<std::chrono::steady_clock::rep>(waiting_ + 1);
  if (waiting_ > 0) --waiting_;
  return store->clone_use(clone_id, now + (*end_ - now) / shares);
}

}  // namespace isolate
