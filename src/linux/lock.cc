#include "linux/lock.h"

#include <sys/file.h>
#include <unistd.h>

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

bool FileLock::is_held_by_others(const Fd& file) {
  // A new owner may have turned its lock into a shared one, which conflicts with an exclusive request but not with a
  // shared one. Another process that asks at the same moment holds the lock only briefly, so ask a few times. Try a
  // shared lock first, to disturb a process that takes the lock as little as possible.
  constexpr int kAttempts = 3;
  constexpr unsigned kPause = 300;  // microseconds
  for (int attempt = 0; attempt < kAttempts; ++attempt) {
    if (::flock(file.get(), LOCK_SH | LOCK_NB) != 0) return errno == EWOULDBLOCK;
    const bool is_free = ::flock(file.get(), LOCK_EX | LOCK_NB) == 0;
    ::flock(file.get(), LOCK_UN);
    if (is_free) return false;
    ::usleep(kPause);
  }
  return true;
}

}  // namespace isolate
