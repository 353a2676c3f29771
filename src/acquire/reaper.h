// Reaper: a child that removes clones of killed runs while this run's command is at work.
#pragma once

#include "linux/process.h"
#include "pool/pool.h"

namespace isolate {

class Reaper {
 public:
  // Starts no child if there is nothing to remove.
  void start(Pool* pool);
  // Waits up to two seconds for the child, then kills it. The next run goes on with the removal.
  void end();

 private:
  ChildProcess child_;
};

}  // namespace isolate
