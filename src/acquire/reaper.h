// Reaper: a child of isolate that removes the clones of killed runs while the command runs.
#pragma once

#include "linux/process.h"
#include "pool/pool.h"

namespace isolate {

class Reaper {
 public:
  // Starts no child if there is nothing to remove. Returns whether there is.
  bool start(Pool* pool);
  // Waits up to two seconds for the child, then kills it. The next run removes what is left.
  void end();

 private:
  ChildProcess child_;
};

}  // namespace isolate
