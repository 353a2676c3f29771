// Supervisor: commands that stop, go on, or take too long.
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "supervise/supervisor_testing.h"

namespace isolate {
namespace {

using protocol::Kind;
using test::verify;
using namespace test_guest;

// Stops the guest. Another process reports that, as isolate-init does for its command.
void stop(const Guest& guest) {
  if (::fork() == 0) {
    ::usleep(100'000);
    guest.say(Kind::stopped, SIGTSTP);
    ::_exit(0);
  }
  ::raise(SIGSTOP);
}

TEST(SupervisorStopTest, AtTheTimeoutTheCommandGetsSigterm) {
  test::in_child([]() -> Result<void> {
    const auto seen = TRY(supervise(
        [](const Guest& guest) {
          guest.start();
          const int first = guest.next_signal();
          if (guest.next_signal() == SIGCONT) guest.say(Kind::ended, W_EXITCODE(0, first));
          return 0;
        },
        [] {}, {false, false, std::chrono::milliseconds(50)}));
    TRY_VOID(verify(seen.outcome.timed_out, "the timeout was reached"));
    return expect_end(seen, "signal 15");
  });
}

TEST(SupervisorStopTest, ACommandThatDoesNotStartBeforeTheTimeoutIsKilled) {
  test::in_child([]() -> Result<void> {
    const auto seen = TRY(supervise(
        [](const Guest&) {
          ::pause();
          return 0;
        },
        [] {}, {false, false, std::chrono::milliseconds(50)}));
    return verify(seen.outcome.timed_out && !seen.outcome.ended && seen.started.empty(), "killed");
  });
}

TEST(SupervisorStopTest, IsolateStopsWithItsCommandAndPassesSigcontOn) {
  test::in_child([]() -> Result<void> {
    auto supervised = TRY(fork_child(0, [] {
      const auto seen = supervise([](const Guest& guest) {
        guest.start();
        stop(guest);
        guest.say(Kind::ended, W_EXITCODE(guest.next_signal(), 0));
        return 0;
      });
      return seen && seen->outcome.ended ? seen->outcome.ended->value : 99;
    }));
    int status = 0;
    if (::waitpid(supervised.pid(), &status, WUNTRACED) != supervised.pid()) return fail(errno, "waitpid");
    TRY_VOID(verify(WIFSTOPPED(status), "stopped"));
    supervised.signal(SIGCONT);
    ::killpg(::getpgrp(), SIGCONT);  // the guest as well
    return verify(TRY(supervised.wait()).value == SIGCONT, "SIGCONT reached the command");
  });
}

TEST(SupervisorStopTest, AStoppedCommandStillTimesOut) {
  test::in_child([]() -> Result<void> {
    const auto seen = TRY(supervise(
        [](const Guest& guest) {
          guest.start();
          stop(guest);
          return 0;
        },
        [] {}, {false, false, std::chrono::milliseconds(100)}));
    return verify(seen.outcome.timed_out, "the timeout was reached");
  });
}

TEST(SupervisorStopTest, IsolateGoesOnWhenOthersContinueTheCommand) {
  test::in_child([]() -> Result<void> {
    return expect_end(TRY(supervise([](const Guest& guest) {
                        guest.start();
                        if (::fork() == 0) {
                          ::usleep(100'000);
                          guest.say(Kind::stopped, SIGTSTP);
                          ::usleep(100'000);
                          ::kill(::getppid(), SIGCONT);
                          guest.say(Kind::continued);
                          ::_exit(0);
                        }
                        ::raise(SIGSTOP);
                        guest.say(Kind::ended, 0);
                        return 0;
                      })),
                      "exit status 0");
  });
}

TEST(SupervisorStopTest, IsolateDoesNotStopWhenTheCommandHasAlreadyEnded) {
  test::in_child([]() -> Result<void> {
    return expect_end(TRY(supervise([](const Guest& guest) {
                        guest.start();
                        guest.say(Kind::stopped, SIGTSTP);
                        guest.say(Kind::ended, 0);
                        return 0;
                      })),
                      "exit status 0");
  });
}

}  // namespace
}  // namespace isolate
