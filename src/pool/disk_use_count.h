// DiskUseCount: measures the disk use of many clones in bounded time, however many files guests have made.
#pragma once

#include "store/store.h"

namespace isolate {

class DiskUseCount {
 public:
  // The time for all clones together.
  static constexpr std::chrono::milliseconds kTime{400};

  // Announces that `clones` more clones will be measured.
  void expect(std::size_t clones) { waiting_ += clones; }
  // Measures one clone. It gets an equal share of the remaining time; a share that a small clone does not use up goes
  // to the others.
  Result<DiskUse> use_of(Store* store, const std::string& clone_id);

 private:
  Deadline end_ = deadline_in(kTime);
  std::size_t waiting_ = 0;
};

}  // namespace isolate
