// DiskUseCount: measures what clones take on disk for a list of them, in bounded time whatever guests have made.
#pragma once

#include "store/store.h"

namespace isolate {

class DiskUseCount {
 public:
  // For all clones together.
  static constexpr std::chrono::milliseconds kTime{400};

  // So many more clones are going to be measured.
  void expect(std::size_t clones) { waiting_ += clones; }
  // A clone that takes long uses up its share of the time that is left; small ones leave theirs to the others.
  Result<DiskUse> use_of(Store* store, const std::string& clone_id);

 private:
  Deadline end_ = deadline_in(kTime);
  std::size_t waiting_ = 0;
};

}  // namespace isolate
