#include "linux/lent_pipe.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <optional>

namespace isolate {
namespace {

std::optional<mode_t> mode_of(int fd) {
  struct stat status {};
  if (::fstat(fd, &status) != 0) return {};
  return status.st_mode & 07777;
}

}  // namespace

LentPipe LentPipe::lend(int pipe) {
  LentPipe lent;
  const auto before = mode_of(pipe);
  if (!before) return lent;
  if ((*before & S_IROTH) == 0) ::fchmod(pipe, *before | S_IROTH);
  lent.before_ = *before;
  lent.pipe_ = Fd(::fcntl(pipe, F_DUPFD_CLOEXEC, 3));
  return lent;
}

void LentPipe::end() {
  if (!pipe_) return;
  const auto now = mode_of(pipe_.get());
  // If another run had lent the pipe before this one, it decides when that ends.
  if (now) {
    constexpr mode_t kReadByOthers = S_IROTH;
    const mode_t wanted = (before_ & ~kReadByOthers) | (before_ & *now & kReadByOthers);
    if (*now != wanted) ::fchmod(pipe_.get(), wanted);
  }
  pipe_.reset();
}

}  // namespace isolate
