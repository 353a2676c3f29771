// The controlling terminal of this process: its modes and its foreground process group.
#pragma once

#include <signal.h>
#include <sys/ioctl.h>
#include <termios.h>

#include <optional>

#include "base/fd.h"
#include "base/result.h"

namespace isolate {

constexpr unsigned kStandardDescriptors = 3;
// Returns how many of the descriptors 0, 1 and 2 are terminals.
unsigned count_standard_terminals();

// Blocks SIGTTOU while it lives, so that the kernel does not stop this process when it changes a terminal from the
// background.
class BlockedStop {
 public:
  BlockedStop();
  BlockedStop(const BlockedStop&) = delete;
  BlockedStop& operator=(const BlockedStop&) = delete;
  ~BlockedStop();

 private:
  sigset_t before_{};
};

class ControllingTerminal {
 public:
  // Opens the controlling terminal and remembers its current modes. Returns nothing if this process has none.
  static std::optional<ControllingTerminal> open();

  int fd() const { return fd_.get(); }
  // Says whether this process's group is in the foreground: only then may it change modes or read.
  bool in_foreground() const;
  const termios& modes() const { return modes_; }
  winsize size() const;

  // Switches to raw mode: every byte arrives as it is typed, without echo and without signals. Does nothing in the
  // background.
  void make_raw() const;
  // Restores the remembered modes. If the foreground process group no longer exists, first puts this process's own
  // group there. Does nothing if another program is in the foreground.
  void restore() const;

 private:
  ControllingTerminal(Fd fd, const termios& modes) : fd_(std::move(fd)), modes_(modes) {}
  void set_modes(const termios& modes) const;
  Fd fd_;
  termios modes_;
};

}  // namespace isolate
