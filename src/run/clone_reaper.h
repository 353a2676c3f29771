// CloneReaper: a child that removes the clones that killed runs have left, while this run's command runs.
#pragma once

#include "linux/process.h"
#include "pool/pool.h"

namespace isolate {

class CloneReaper {
 public:
  // Does nothing where nothing is left. Without a child the next run tries again.
  void start(Pool* pool);
  // Waits a moment. A removal that takes longer is left to the next run, which goes on where this one stopped.
  void finish();

 private:
  ChildProcess child_;
};

}  // namespace isolate
