// TerminalState: what a guest that shares a terminal can leave on it beside its modes.
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
  // Remembers the state of the terminal behind `fd` as it is now. Nothing when `fd` is no terminal.
  static std::optional<TerminalState> of(int fd);

  int fd() const { return fd_.get(); }
  dev_t device() const { return status_.st_rdev; }

  // Gives the device to `owner` until restore(), so that `owner` can open it by its name. Only root can do that. Does
  // nothing where it makes no sense: /dev/tty and /dev/console stand for other terminals, and a terminal that belongs
  // to an id of `first_taken` or above has been lent to the guest of another run.
  Result<void> lend_to(uid_t owner, uid_t first_taken);

  // Sets line discipline, exclusive mode, a suspended output, owner and mode back to what they were.
  void restore() const;
  // The same for the modes (termios). The caller decides whether somebody else uses the terminal by now.
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
