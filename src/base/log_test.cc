#include "base/log.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include "base/trace.h"

namespace isolate {
namespace {

using ::testing::ExitedWithCode;

// Each message is printed by a child process, because a test can't undo log::set_up() or trace::enable().
TEST(LogTest, MessagesBeginWithProgramAndKind) {
  EXPECT_EXIT((log::set_up("isolatectl", false), log::error("it broke"), ::_exit(0)), ExitedWithCode(0),
              "^isolatectl: error: it broke\n$");
  EXPECT_EXIT((log::set_up("isolate", false), log::warning("take care"), ::_exit(0)), ExitedWithCode(0),
              "^isolate: warning: take care\n$");
  EXPECT_EXIT((log::set_up("isolate", false), log::info("done"), ::_exit(0)), ExitedWithCode(0), "^isolate: done\n$");
}

TEST(LogTest, ControlBytesAreEscapedSoThatAMessageIsOneLine) {
  EXPECT_EXIT((log::error("a\nb\033[31m"), ::_exit(0)), ExitedWithCode(0),
              "^isolate: error: a\\\\x0ab\\\\x1b\\[31m\n$");
}

TEST(LogTest, QuietKeepsWarningsAndErrors) {
  EXPECT_EXIT((log::set_up("isolate", true), log::info("chatter"), log::warning("w"), log::error("e"), ::_exit(0)),
              ExitedWithCode(0), "^isolate: warning: w\nisolate: error: e\n$");
}

TEST(TraceTest, PrintsNothingUnlessEnabled) {
  EXPECT_EXIT((trace::check(0, "mkdir", "a"), trace::line("x"), ::_exit(0)), ExitedWithCode(0), "^$");
}

TEST(TraceTest, ShowsEachCallWithItsResult) {
  EXPECT_EXIT((trace::enable(), trace::check(5, "open", "/a"), ::_exit(0)), ExitedWithCode(0), "^\\+ open /a = 5\n$");
  EXPECT_EXIT((trace::enable(), errno = ENOENT, trace::check(-1, "open", "/b"), ::_exit(0)), ExitedWithCode(0),
              "^\\+ open /b = -1 No such file or directory\n$");
}

TEST(TraceTest, CheckTurnsErrnoIntoAnError) {
  EXPECT_EQ(trace::check(7, "read", "x").value(), 7);
  errno = EROFS;
  const auto failed = trace::check(-1, "mkdir", "/a");
  ASSERT_FALSE(failed);
  EXPECT_EQ(failed.error().message(), "mkdir /a: Read-only file system");
}

}  // namespace
}  // namespace isolate
