// LentPipe: a pipe of the caller's that every user may open for reading by its name in /proc, as long as this exists.
// Its mode is put back afterwards, also if somebody else has changed it meanwhile.
#pragma once

#include <sys/types.h>

#include "base/fd.h"

namespace isolate {

class LentPipe {
 public:
  LentPipe() = default;
  // A pipe of another user is left as it is: its name does not open then.
  static LentPipe lend(int pipe);

  LentPipe(LentPipe&&) = default;
  LentPipe& operator=(LentPipe&&) = delete;
  LentPipe(const LentPipe&) = delete;
  LentPipe& operator=(const LentPipe&) = delete;
  ~LentPipe() { end(); }

  void end();

 private:
  Fd pipe_;
  mode_t before_ = 0;
};

}  // namespace isolate
