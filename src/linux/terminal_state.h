// TerminalState: what a guest can change on a terminal that it shares, and how to undo it.
#pragma once

#include <sys/stat.h>
#include <sys/types.h>
#include <termios.h>

#include <optional>

#include "base/fd.h"
#include "base/result.h"

namespace isolate {

class TerminalState {
 public:
  // Remembers the current state of the terminal `fd`. Returns nothing if `fd` is no terminal.
  static std::optional<TerminalState> of(int fd);

  int fd() const { return fd_.get(); }
  dev_t device() const { return status_.st_rdev; }

  // Changes the owner of the device to `owner` until restore(), so that `owner` can open it by name. Only root can do
  // that. Does nothing for /dev/tty and /dev/console, which stand for other terminals, nor for a terminal whose owner
  // is an id of `first_taken` or above: another run has lent it to its guest.
  Result<void> lend_to(uid_t owner, uid_t first_taken);

  // Restores line discipline, exclusive mode, suspended output, owner and mode.
  void restore() const;
  // Restores the modes (termios). They are separate because the caller has to decide whether another program uses the
  // terminal by now.
  void restore_modes() const;

 private:
  TerminalState() = default;
  Fd fd_;
  struct stat status_ {};
  std::optional<termios> modes_;
  std::optional<int> discipline_;
  bool was_exclusive_ = false;
  std::optional<uid_t> lent_to_;
};

}  // namespace isolate
