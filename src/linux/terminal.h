// The terminal that controls this process, if there is one: its modes and its foreground process group.
#pragma once

#include <signal.h>
#include <sys/ioctl.h>
#include <termios.h>

#include <optional>

#include "base/fd.h"
#include "base/result.h"

namespace isolate {

constexpr unsigned kStandardDescriptors = 3;
// How many of this process's descriptors 0, 1 and 2 are terminals.
unsigned count_standard_terminals();

// While it lives, the kernel does not stop this process for changing a terminal from behind the foreground.
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
  // Remembers the modes as they are now. Nothing when this process has no controlling terminal.
  static std::optional<ControllingTerminal> open();

  int fd() const { return fd_.get(); }
  // Only the foreground may change modes or read.
  bool in_foreground() const;
  const termios& modes() const { return modes_; }
  winsize size() const;

  // Each byte as it is typed, no echo, no signals. Does nothing in the background.
  void make_raw() const;
  // Sets the modes back to what they were. When the foreground is a process group that is gone, this process's own
  // takes its place first; another program's foreground is left alone.
  void restore() const;

 private:
  ControllingTerminal(Fd fd, const termios& modes) : fd_(std::move(fd)), modes_(modes) {}
  void set_modes(const termios& modes) const;
  Fd fd_;
  termios modes_;
};

}  // namespace isolate
