// Reaper: a child that removes clones which killed runs have left, while this run's command is at work.
#pragma once

#include "linux/process.h"
#include "pool/pool.h"

namespace isolate {

class Reaper {
 public:
  // Does nothing where there is nothing to remove.
  void start(Pool* pool);
  // Gives it a moment to finish. A removal that takes longer is left to the next run, which goes on from there.
  void end();

 private:
  ChildProcess child_;
};

}  // namespace isolate
