// Supervisor: signals of the caller's terminal.
#include <signal.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "supervise/supervisor_testing.h"

namespace isolate {
namespace {

using protocol::Kind;
using namespace test_guest;

// Sends this process a signal as the terminal does: from the kernel.
void signal_of_terminal(int number) {
  siginfo_t info{};
  info.si_signo = number;
  info.si_code = SI_KERNEL;
  ::syscall(SYS_rt_sigqueueinfo, ::getpid(), number, &info);
}

// The first signal passed on when the terminal sends this one, and somebody SIGUSR2.
Result<void> expect_passed_on(int of_terminal, const std::string& description) {
  const auto seen = TRY(supervise(
      [](const Guest& guest) {
        guest.start();
        guest.say(Kind::ended, W_EXITCODE(0, guest.next_signal()));
        return 0;
      },
      [of_terminal] {
        signal_of_terminal(of_terminal);
        ::kill(::getpid(), SIGUSR2);
      }));
  return expect_end(seen, description);
}

// It goes to the command as well, which must not get it twice.
TEST(SupervisorSignalsTest, SignalsOfTheTerminalAreNotPassedOn) {
  test::in_child([]() -> Result<void> {
    for (const int number : {SIGINT, SIGQUIT, SIGHUP}) TRY_VOID(expect_passed_on(number, "signal 12"));
    return {};
  });
}

SupervisorOptions with_own_session() {
  SupervisorOptions options;
  options.own_session = true;
  return options;
}

// What a guest in a session of its own is sent first, of which kind, when `send` does something to this process.
Result<void> expect_in_own_session(const SupervisorOptions& options, const std::function<void()>& send,
                                   test_guest::Kind kind, int number) {
  ::alarm(10);
  const auto seen = TRY(supervise(
      [kind](const Guest& guest) {
        guest.start();
        guest.say(Kind::ended, W_EXITCODE(0, guest.next(kind)));
        return 0;
      },
      send, options));
  return expect_end(seen, "signal " + std::to_string(number));
}

// There they reach nobody else.
TEST(SupervisorSignalsTest, SignalsOfTheTerminalGoToTheWholeGroupInASessionOfItsOwn) {
  test::in_child([]() -> Result<void> {
    for (const int number : {SIGINT, SIGQUIT, SIGHUP}) {
      const auto send = [number] { signal_of_terminal(number); };
      TRY_VOID(expect_in_own_session(with_own_session(), send, Kind::group_signal, number));
      const auto kill = [number] { ::kill(::getpid(), number); };
      TRY_VOID(expect_in_own_session(with_own_session(), kill, Kind::signal, number));
    }
    return {};
  });
}

TEST(SupervisorSignalsTest, AnInterruptThatIsIgnoredReachesACommandInASessionOfItsOwn) {
  test::in_child([]() -> Result<void> {
    auto options = with_own_session();
    options.ignore_interrupt = true;
    return expect_in_own_session(
        options, [] { signal_of_terminal(SIGINT); }, Kind::group_signal, SIGINT);
  });
}

TEST(SupervisorSignalsTest, AHangUpIsPassedOnByTheLeaderOfTheSession) {
  test::in_child([]() -> Result<void> {
    if (::setsid() < 0) return fail(errno, "setsid");
    const auto seen = TRY(supervise(
        [](const Guest& guest) {
          guest.start();
          guest.say(Kind::ended, W_EXITCODE(0, guest.next_signal()));
          return 0;
        },
        [] { signal_of_terminal(SIGHUP); }));
    return expect_end(seen, "signal 1");
  });
}

}  // namespace
}  // namespace isolate
