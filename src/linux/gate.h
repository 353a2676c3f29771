// Gate: holds a child process back until its parent releases it.
#pragma once

#include "base/fd.h"
#include "base/result.h"

namespace isolate {

class Gate {
 public:
  static Result<Gate> make();
  // Called by the child, once. Returns false if the parent has given up, or was killed: that also ends a child that is
  // to be adopted by a process which does not know of it yet.
  bool wait_to_go();
  // Called by the parent. If the child has died, nobody reads this, which is harmless.
  void release() const;

 private:
  Gate(Fd read, Fd write) : read_(std::move(read)), write_(std::move(write)) {}
  Fd read_;
  Fd write_;
};

}  // namespace isolate
