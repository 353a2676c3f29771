#include "linux/lock.h"

#include <sys/file.h>

#include "base/trace.h"

namespace isolate {
namespace {
int operation(FileLock::Mode mode) { return mode == FileLock::Mode::shared ? LOCK_SH : LOCK_EX; }
}  // namespace

Result<FileLock> FileLock::try_lock(Fd file, Mode mode) {
  TRY(trace::check(::flock(file.get(), operation(mode) | LOCK_NB), "flock", "without waiting"));
  return FileLock(std::move(file));
}

Result<FileLock> FileLock::wait(Fd file, Mode mode) {
  while (::flock(file.get(), operation(mode)) != 0) {
    if (errno != EINTR) return fail(errno, "flock");
  }
  return FileLock(std::move(file));
}

}  // namespace isolate
