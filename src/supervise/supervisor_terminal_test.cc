// Supervisor: the guest's own terminal.
#include <fcntl.h>
#include <stdlib.h>
#include <sys/ioctl.h>

#include "linux/socket.h"
#include "supervise/supervisor_testing.h"

namespace isolate {
namespace {

using test::verify;
using test_guest::expect_end;
using test_guest::Guest;
using test_guest::Kind;
using test_guest::Message;
using test_guest::supervise;

constexpr winsize kSize{33, 99, 0, 0};

// Both sides of a new terminal.
struct Terminal {
  Fd control;
  Fd side;
};

Terminal new_terminal() {
  Terminal made;
  made.control = Fd(::posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC));
  if (::grantpt(made.control.get()) != 0 || ::unlockpt(made.control.get()) != 0) return {};
  made.side = Fd(::ioctl(made.control.get(), TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC));
  return made;
}

// Makes `terminal` the controlling terminal of this process and of those that it starts.
bool take_terminal(const Terminal& terminal) {
  return ::setsid() > 0 && ::ioctl(terminal.side.get(), TIOCSCTTY, 0) == 0 &&
         ::ioctl(terminal.control.get(), TIOCSWINSZ, &kSize) == 0;
}

void offer(const Guest& guest, const std::vector<int>& descriptors) {
  const Message message{Kind::terminal, 0};
  const std::string_view bytes(reinterpret_cast<const char*>(&message), sizeof message);
  if (!send_message(guest.control, bytes, descriptors)) ::_exit(98);
}

int start_and_end(const Guest& guest, int code) {
  guest.start();
  guest.say(Kind::ended, W_EXITCODE(code, 0));
  return 0;
}

SupervisorOptions with_own_terminal() {
  SupervisorOptions options;
  options.own_terminal = true;
  return options;
}

TEST(SupervisorTerminalTest, TheTerminalHasItsSizeBeforeTheGuestGetsTheAnswer) {
  test::in_child([]() -> Result<void> {
    ::alarm(10);
    const auto host = new_terminal();
    TRY_VOID(verify(take_terminal(host), "the caller has a terminal"));
    const auto start_with_size = [](const Guest& guest) {
      const auto own = new_terminal();
      offer(guest, {own.control.get()});
      winsize size{};
      const bool is_right = guest.next(Kind::terminal) == 0 && ::ioctl(own.side.get(), TIOCGWINSZ, &size) == 0 &&
                            size.ws_row == kSize.ws_row && size.ws_col == kSize.ws_col;
      return start_and_end(guest, is_right ? 4 : 5);
    };
    return expect_end(TRY(supervise(
                          start_with_size, [] {}, with_own_terminal())),
                      "exit status 4");
  });
}

TEST(SupervisorTerminalTest, TheGuestGetsAnErrorIfItsTerminalDidNotArrive) {
  test::in_child([]() -> Result<void> {
    ::alarm(10);
    const auto start_without = [](const Guest& guest) {
      offer(guest, {});
      return start_and_end(guest, guest.next(Kind::terminal) == EMFILE ? 4 : 5);
    };
    return expect_end(TRY(supervise(
                          start_without, [] {}, with_own_terminal())),
                      "exit status 4");
  });
}

}  // namespace
}  // namespace isolate
