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

  int fd() const { return file_.get(); }
  explicit operator bool() const { return static_cast<bool>(file_); }

 private:
  explicit FileLock(Fd file) : file_(std::move(file)) {}
  Fd file_;
};

}  // namespace isolate
