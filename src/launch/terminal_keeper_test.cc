#include "launch/terminal_keeper.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

#include "base/testing.h"
#include "linux/file.h"

namespace isolate {
namespace {

using test::verify;

TEST(TerminalKeeperTest, WhatAGuestDoesBeforeItsOwnEndIsPutBack) {
  test::in_child([]() -> Result<void> {
    ::setsid();  // no shell takes the terminal back
    const Fd control(::posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC));
    if (::grantpt(control.get()) != 0 || ::unlockpt(control.get()) != 0) return fail(errno, "terminal");
    const Fd side(::ioctl(control.get(), TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC));
    std::vector<TerminalState> terminals;
    terminals.push_back(TerminalState::of(side.get()).value());
    const auto guest = TRY(fork_child(0, [&] {
      ::usleep(500'000);
      termios raw{};
      ::tcgetattr(side.get(), &raw);
      ::cfmakeraw(&raw);
      return ::tcsetattr(side.get(), TCSANOW, &raw) == 0 ? 0 : 1;
    }));
    auto run = TRY(make_pipe("run"));
    auto keeper = TRY(start_terminal_keeper(terminals, {-1, -1, -1}, run.read.get(), guest.pidfd()));
    run.write.reset();  // isolate has died
    TRY_VOID(verify(TRY(keeper.wait()).success(), "the keeper"));
    termios now{};
    ::tcgetattr(side.get(), &now);
    return verify((now.c_lflag & ICANON) != 0, "not raw");
  });
}

}  // namespace
}  // namespace isolate
