// LentPipe: a pipe of the caller's that every user may open by its name in /proc, in one direction, as long as this
// object exists. One run at a time lends a pipe: both directions together would let a guest open the other end.
#pragma once

#include <sys/types.h>

#include <optional>

#include "base/fd.h"

namespace isolate {

class LentPipe {
 public:
  enum class Direction { read, write };
  // Nothing: another run has lent the pipe, in whatever direction, or this process may not lend it.
  static std::optional<LentPipe> lend(int pipe, Direction direction);

  LentPipe(LentPipe&&) = default;
  LentPipe& operator=(LentPipe&&) = delete;
  LentPipe(const LentPipe&) = delete;
  LentPipe& operator=(const LentPipe&) = delete;
  // Restores the mode, even if another process has changed it meanwhile.
  ~LentPipe();

 private:
  LentPipe(Fd pipe, mode_t before) : pipe_(std::move(pipe)), before_(before) {}
  Fd pipe_;
  mode_t before_;
};

}  // namespace isolate
