#include "linux/reporting_child.h"

#include <gtest/gtest.h>
#include <signal.h>
#include <unistd.h>

#include "base/testing.h"

namespace isolate {
namespace {

using Body = std::function<Result<void>()>;

Result<void> outcome_of(const Body& body) { return test::must(ReportingChild::start(body)).finish(); }

TEST(ReportingChildTest, TheBodyRunsInAnotherProcess) {
  const pid_t here = ::getpid();
  test::expect_success(outcome_of([here] { return ::getpid() != here ? Result<void>() : fail("the same process"); }));
}

TEST(ReportingChildTest, AnErrorKeepsItsCodeAndAdvice) {
  const auto failed = outcome_of([] { return fail(Error(ENOSPC, "write a").advise("make room")); });
  EXPECT_TRUE(test::fails_with(failed, ENOSPC));
  EXPECT_EQ(test::message_of(failed), "write a: No space left on device; make room");
}

TEST(ReportingChildTest, ABodyThatDiesIsAnError) {
  EXPECT_EQ(test::message_of(outcome_of([]() -> Result<void> { ::_exit(3); })),
            "a helper process ended with exit status 3");
  EXPECT_EQ(test::message_of(outcome_of([]() -> Result<void> {
              ::kill(::getpid(), SIGKILL);
              return {};
            })),
            "a helper process ended with signal 9");
}

TEST(ReportingChildTest, ALongErrorDoesNotKeepTheChildFromEnding) {
  auto child = test::must(ReportingChild::start([] { return fail(std::string(1 << 20, 'x')); }));
  EXPECT_EQ(test::must(child.process().wait()).shell_code(), 125) << "must end before the report is read";
  EXPECT_EQ(test::message_of(child.report()).substr(0, 3), "xxx");
}

TEST(ReportingChildTest, ABodyThatBecomesAnotherProgramHasSucceeded) {
  auto child = test::must(ReportingChild::start([]() -> Result<void> {
    ::execl("/bin/sh", "sh", "-c", "exit 7", nullptr);
    return fail(errno, "exec");
  }));
  test::expect_success(child.report());
  EXPECT_EQ(test::must(child.process().wait()).shell_code(), 7);
}

}  // namespace
}  // namespace isolate
