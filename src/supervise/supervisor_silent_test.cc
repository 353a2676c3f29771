// Supervisor: an isolate-init that no longer works, for example because the guest has stopped it.
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "linux/process_testing.h"
#include "supervise/supervisor_testing.h"

namespace isolate {
namespace {

using test::verify;
using namespace test_guest;

TEST(SilentInitTest, TheRunEndsWhenInitDoesNotAnswerASignalThatAsksForTheEnd) {
  test::in_child([]() -> Result<void> {
    const auto seen = TRY(supervise(
        [](const Guest& guest) {
          guest.start();
          return test::pause_for_good();
        },
        [] { ::raise(SIGTERM); }));
    TRY_VOID(verify(!seen.outcome.engine_error.empty(), "isolate reports it"));
    return expect_end(seen, "signal 15");
  });
}

TEST(SilentInitTest, TheRunEndsWhenInitDoesNotReportTheCommandsEnd) {
  test::in_child([]() -> Result<void> {
    const auto seen = TRY(supervise([](const Guest& guest) {
      const pid_t command = ::fork();
      if (command == 0) {
        guest.say(Kind::pid);
        ::_exit(0);
      }
      ::waitpid(command, nullptr, 0);
      guest.say(Kind::started);
      return test::pause_for_good();
    }));
    return verify(!seen.outcome.engine_error.empty() && seen.outcome.ended, "isolate reports it");
  });
}

TEST(SilentInitTest, ACommandThatHandlesSigtermMayTakeItsTime) {
  test::in_child([]() -> Result<void> {
    const auto seen = TRY(supervise(
        [](const Guest& guest) {
          guest.start();
          guest.say(Kind::answer, guest.next_signal());
          ::sleep(6);
          guest.say(Kind::ended, W_EXITCODE(4, 0));
          return 0;
        },
        [] { ::raise(SIGTERM); }));
    return expect_end(seen, "exit status 4");
  });
}

TEST(SilentInitTest, IsolateStopsOnlyAfterInitHasAnswered) {
  test::in_child([]() -> Result<void> {
    const auto seen = TRY(supervise(
        [](const Guest& guest) {
          guest.start();
          const int number = guest.next_signal();
          guest.say(Kind::stopped);
          guest.say(Kind::answer, number);
          ::usleep(200'000);
          guest.say(Kind::continued);
          guest.say(Kind::ended, W_EXITCODE(0, SIGTERM));
          return 0;
        },
        [] { ::raise(SIGTERM); }));
    return expect_end(seen, "signal 15");
  });
}

}  // namespace
}  // namespace isolate
