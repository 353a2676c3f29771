// FileLock: an flock(2) on an open file. It belongs to the open file description: whoever holds a copy of the
// descriptor holds the lock, and the kernel drops it when the last holder has ended, however it ended.
#pragma once

#include "base/fd.h"
#include "base/result.h"

namespace isolate {

class FileLock {
 public:
  enum class Mode { shared, exclusive };

  FileLock() = default;
  // Errors: EWOULDBLOCK somebody else holds it.
  static Result<FileLock> try_lock(Fd file, Mode mode);
  static Result<FileLock> wait(Fd file, Mode mode);

  // Whether somebody else holds a lock on the file, of either mode. It is only asked for: `file` holds none afterwards.
  // Two who ask at the same moment may each see the other.
  static bool is_held_by_others(const Fd& file);

  int fd() const { return file_.get(); }
  explicit operator bool() const { return static_cast<bool>(file_); }

 private:
  explicit FileLock(Fd file) : file_(std::move(file)) {}
  Fd file_;
};

}  // namespace isolate
