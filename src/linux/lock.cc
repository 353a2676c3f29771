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
  // Whoever was given a lock may have made it a shared one, beside which there is room for another shared one but none
  // for an exclusive one. Others who ask, shared first, so as not to be in a taker's way, are soon gone.
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
