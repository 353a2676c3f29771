#include "linux/terminal.h"

#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

namespace isolate {

unsigned count_standard_terminals() {
  unsigned count = 0;
  for (unsigned number = 0; number < kStandardDescriptors; ++number) {
    if (::isatty(static_cast<int>(number)) == 1) ++count;
  }
  return count;
}

BlockedStop::BlockedStop() {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGTTOU);
  ::sigprocmask(SIG_BLOCK, &set, &before_);
}

BlockedStop::~BlockedStop() { ::sigprocmask(SIG_SETMASK, &before_, nullptr); }

std::optional<ControllingTerminal> ControllingTerminal::open() {
  Fd fd(::open("/dev/tty", O_RDWR | O_NOCTTY | O_CLOEXEC));
  termios modes{};
  if (!fd || ::tcgetattr(fd.get(), &modes) != 0) return std::nullopt;
  return ControllingTerminal(std::move(fd), modes);
}

bool ControllingTerminal::in_foreground() const { return ::tcgetpgrp(fd_.get()) == ::getpgrp(); }

winsize ControllingTerminal::size() const {
  winsize size{};
  ::ioctl(fd_.get(), TIOCGWINSZ, &size);  // if this fails the size stays 0 by 0, which means unknown
  return size;
}

void ControllingTerminal::set_modes(const termios& modes) const {
  // If this fails, the terminal has been hung up and has no modes to restore.
  if (in_foreground()) ::tcsetattr(fd_.get(), TCSADRAIN, &modes);
}

void ControllingTerminal::make_raw() const {
  auto raw = modes_;
  ::cfmakeraw(&raw);
  set_modes(raw);
}

void ControllingTerminal::restore() const {
  const BlockedStop blocked;
  const pid_t foreground = ::tcgetpgrp(fd_.get());
  if (foreground > 0 && ::kill(-foreground, 0) != 0 && errno == ESRCH) ::tcsetpgrp(fd_.get(), ::getpgrp());
  set_modes(modes_);
}

}  // namespace isolate
