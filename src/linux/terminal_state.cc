#include "linux/terminal_state.h"

#include <fcntl.h>
#include <sys/ioctl.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "base/trace.h"
#include "linux/terminal.h"

namespace isolate {

std::optional<TerminalState> TerminalState::of(int fd) {
  TerminalState state;
  termios modes{};
  if (::tcgetattr(fd, &modes) != 0 || ::fstat(fd, &state.status_) != 0) return std::nullopt;
  state.modes_ = modes;
  state.fd_ = Fd(::fcntl(fd, F_DUPFD_CLOEXEC, STDERR_FILENO + 1));
  if (!state.fd_) return std::nullopt;
  int discipline = 0;
  if (::ioctl(fd, TIOCGETD, &discipline) == 0) state.discipline_ = discipline;
  int exclusive = 0;
  state.was_exclusive_ = ::ioctl(fd, TIOCGEXCL, &exclusive) == 0 && exclusive != 0;
  return state;
}

Result<void> TerminalState::lend_to(uid_t owner, uid_t first_taken) {
  constexpr unsigned kOthers = 5;  // the major number of /dev/tty, /dev/console and /dev/ptmx
  if (major(status_.st_rdev) == kOthers || status_.st_uid >= first_taken) return {};
  TRY(trace::check(::fchown(fd_.get(), owner, static_cast<gid_t>(-1)), "fchown", "terminal"));
  lent_to_ = owner;
  return {};
}

// If one of these calls fails, the terminal has been hung up and has no state to restore.
void TerminalState::restore() const {
  const BlockedStop blocked;
  int now = 0;
  if (discipline_ && ::ioctl(fd_.get(), TIOCGETD, &now) == 0 && now != *discipline_) {
    const int before = *discipline_;
    ::ioctl(fd_.get(), TIOCSETD, &before);
  }
  if (!was_exclusive_ && ::ioctl(fd_.get(), TIOCGEXCL, &now) == 0 && now != 0) ::ioctl(fd_.get(), TIOCNXCL);
  // Undoes a tcflow(TCOOFF) of the guest, but keeps a Ctrl-S that the user typed.
  ::tcflow(fd_.get(), TCOON);
  struct stat status {};
  if (::fstat(fd_.get(), &status) != 0) return;
  if (lent_to_ && status.st_uid == *lent_to_) {
    [[maybe_unused]] const int given_back = ::fchown(fd_.get(), status_.st_uid, static_cast<gid_t>(-1));
  }
  if (status.st_mode != status_.st_mode) ::fchmod(fd_.get(), status_.st_mode & 07777);
}

void TerminalState::restore_modes() const {
  const BlockedStop blocked;
  if (modes_) ::tcsetattr(fd_.get(), TCSANOW, &*modes_);
}

}  // namespace isolate
