#include "linux/lent_pipe.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>

#include <string>

namespace isolate {
namespace {

constexpr mode_t kOfOthers = S_IROTH | S_IWOTH;

// The lock that keeps two runs from looking at the mode at the same moment. A guest that has the pipe could hold it for
// ever, so wait for a moment only.
bool lock_for_a_moment(int fd) {
  constexpr int kTries = 10;
  constexpr timespec kPause{0, 2'000'000};
  for (int i = 0; i < kTries; ++i) {
    if (::flock(fd, LOCK_EX | LOCK_NB) == 0) return true;
    ::nanosleep(&kPause, nullptr);
  }
  return false;
}

}  // namespace

std::optional<LentPipe> LentPipe::lend(int pipe, Direction direction) {
  const bool is_input = direction == Direction::read;
  // A lock belongs to an open file description, and the caller's is not ours to lock.
  const auto name = "/proc/self/fd/" + std::to_string(pipe);
  Fd own(::open(name.c_str(), (is_input ? O_RDONLY : O_WRONLY) | O_NONBLOCK | O_CLOEXEC));
  struct stat status {};
  if (!own || !lock_for_a_moment(own.get()) || ::fstat(own.get(), &status) != 0) return std::nullopt;
  const mode_t before = status.st_mode & 07777;
  const mode_t wanted = before | (is_input ? mode_t{S_IROTH} : mode_t{S_IWOTH});
  // A duplicate of the caller's descriptor changes nothing for the other end of the pipe. It comes first: without it
  // nobody could restore the mode.
  Fd kept(::fcntl(pipe, F_DUPFD_CLOEXEC, 3));
  if (!kept || (before & kOfOthers) != 0 || ::fchmod(kept.get(), wanted) != 0) return std::nullopt;
  return LentPipe(std::move(kept), before);
}

LentPipe::~LentPipe() {
  if (pipe_) ::fchmod(pipe_.get(), before_);
}

}  // namespace isolate
