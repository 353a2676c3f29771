// FileLock: an flock(2) on an open file. The lock belongs to the open file description: every process with a copy of
// the descriptor holds it, and the kernel drops it when the last copy is closed, even if the holder was killed.
#pragma once

#include "base/fd.h"
#include "base/result.h"

namespace isolate {

class FileLock {
 public:
  enum class Mode { shared, exclusive };

  FileLock() = default;
  // Errors: EWOULDBLOCK another open file description holds a conflicting lock.
  static Result<FileLock> try_lock(Fd file, Mode mode);
  // Waits until the lock is free, through signals.
  static Result<FileLock> wait(Fd file, Mode mode);

  // Says whether anybody else holds a lock on the file, shared or exclusive. `file` itself holds no lock afterwards.
  // Two processes that ask at the same moment may each see the other.
  static bool is_held_by_others(const Fd& file);

  int fd() const { return file_.get(); }
  explicit operator bool() const { return static_cast<bool>(file_); }

 private:
  explicit FileLock(Fd file) : file_(std::move(file)) {}
  Fd file_;
};

}  // namespace isolate
