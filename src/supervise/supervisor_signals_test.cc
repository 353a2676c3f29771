// Supervisor: signals from the caller's terminal.
#include <signal.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "supervise/supervisor_testing.h"

namespace isolate {
namespace {

using protocol::Kind;
using namespace test_guest;

// Sends this process a signal that looks as if it came from the terminal, which means from the kernel.
void signal_as_terminal(int number) {
  siginfo_t info{};
  info.si_signo = number;
  info.si_code = SI_KERNEL;
  ::syscall(SYS_rt_sigqueueinfo, ::getpid(), number, &info);
}

// Checks which signal isolate passes on first when the terminal sends `from_terminal`, and a process then sends
// SIGUSR2.
Result<void> expect_passed_on(int from_terminal, const std::string& description) {
  const auto seen = TRY(supervise(
      [](const Guest& guest) {
        guest.start();
        guest.say(Kind::ended, W_EXITCODE(0, guest.next_signal()));
        return 0;
      },
      [from_terminal] {
        signal_as_terminal(from_terminal);
        ::kill(::getpid(), SIGUSR2);
      }));
  return expect_end(seen, description);
}

// The terminal sends them to the command as well, which must not get them twice.
TEST(SupervisorSignalsTest, SignalsFromTheTerminalAreNotPassedOn) {
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

// Checks that a guest in a session of its own first gets signal `number`, as `kind`, when `send` signals this process.
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

// The terminal signals only its own session, in which isolate is and the guest is not.
TEST(SupervisorSignalsTest, SignalsFromTheTerminalGoToTheWholeGroupInASessionOfItsOwn) {
  test::in_child([]() -> Result<void> {
    for (const int number : {SIGINT, SIGQUIT, SIGHUP}) {
      const auto send = [number] { signal_as_terminal(number); };
      TRY_VOID(expect_in_own_session(with_own_session(), send, Kind::group_signal, number));
      const auto kill = [number] { ::kill(::getpid(), number); };
      TRY_VOID(expect_in_own_session(with_own_session(), kill, Kind::signal, number));
    }
    return {};
  });
}

TEST(SupervisorSignalsTest, AnIgnoredInterruptReachesACommandInASessionOfItsOwn) {
  test::in_child([]() -> Result<void> {
    auto options = with_own_session();
    options.ignore_interrupt = true;
    return expect_in_own_session(
        options, [] { signal_as_terminal(SIGINT); }, Kind::group_signal, SIGINT);
  });
}

TEST(SupervisorSignalsTest, TheLeaderOfTheSessionPassesAHangUpOn) {
  test::in_child([]() -> Result<void> {
    if (::setsid() < 0) return fail(errno, "setsid");
    const auto seen = TRY(supervise(
        [](const Guest& guest) {
          guest.start();
          guest.say(Kind::ended, W_EXITCODE(0, guest.next_signal()));
          return 0;
        },
        [] { signal_as_terminal(SIGHUP); }));
    return expect_end(seen, "signal 1");
  });
}

}  // namespace
}  // namespace isolate
