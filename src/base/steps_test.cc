#include "base/steps.h"

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstdint>

#include "base/testing.h"

namespace isolate {
namespace {

using Names = std::vector<std::string>;
using test::must;

Result<void> success() { return {}; }
Result<void> failure() { return fail(EIO, "read"); }

// Returns the names of the steps from the timing lines, and checks that each line is "timing: NAME MICROSECONDS".
Names names_of(const Steps& steps) {
  Names names;
  for (const auto& line : steps.timing_lines()) {
    std::istringstream words(line);
    std::string timing;
    std::string name;
    std::int64_t microseconds = -1;
    words >> timing >> name >> microseconds;
    EXPECT_EQ(timing, "timing:");
    EXPECT_GE(microseconds, 0) << line;
    EXPECT_TRUE(words.eof()) << line;
    names.push_back(name);
  }
  return names;
}

std::int64_t microseconds_of(const Steps& steps, const std::string& name) {
  for (const auto& line : steps.timing_lines()) {
    if (line.starts_with("timing: " + name + " ")) return std::stoll(line.substr(line.rfind(' ') + 1));
  }
  return -1;
}

// Runs `body` in a child process and returns the child's wait status.
template <typename Body>
int end_of_child(const Body& body) {
  const pid_t child = ::fork();
  if (child == 0) {
    body();
    ::_exit(0);
  }
  int status = 0;
  EXPECT_EQ(::waitpid(child, &status, 0), child);
  return status;
}

TEST(StepsTest, StepsAreListedInTheOrderTheyEndWithTheTotalLast) {
  auto steps = must(Steps::make());
  steps.run("first", success);
  steps.run("outer", [&] { return steps.run("inner", success); });
  EXPECT_EQ(names_of(steps), (Names{"first", "inner", "outer", "total"}));
}

TEST(StepsTest, TheDurationOfAStepIsMeasured) {
  auto steps = must(Steps::make());
  steps.run("slow", [] {
    ::usleep(30000);
    return success();
  });
  EXPECT_GE(microseconds_of(steps, "slow"), 30000);
  EXPECT_GE(microseconds_of(steps, "total"), microseconds_of(steps, "slow"));
}

TEST(StepsTest, TheTimeSinceTheLastStepCanBeRecordedAsAStep) {
  auto steps = must(Steps::make());
  steps.run("first", success);
  ::usleep(20000);
  steps.record_since_last("waited");
  EXPECT_GE(microseconds_of(steps, "waited"), 20000);
  EXPECT_EQ(names_of(steps), (Names{"first", "waited", "total"}));
}

TEST(StepsTest, RunReturnsTheResultOfTheBody) {
  auto steps = must(Steps::make());
  const Result<int> seven = steps.run("value", []() -> Result<int> { return 7; });
  EXPECT_EQ(seven.value(), 7);
  EXPECT_TRUE(test::fails_with(steps.run("error", failure), EIO));
}

TEST(StepsTest, TheFirstFailureIsRemembered) {
  auto steps = must(Steps::make());
  EXPECT_EQ(steps.first_failure(), "");
  steps.run("fine", success);
  steps.run("outer", [&] { return steps.run("inner", failure); });
  steps.run("later", failure);
  EXPECT_EQ(steps.first_failure(), "inner");
}

TEST(StepsTest, StepsOfAChildProcessAreInTheSameTable) {
  auto steps = must(Steps::make());
  steps.run("parent", success);
  end_of_child([&] { steps.run("child", failure); });
  EXPECT_EQ(names_of(steps), (Names{"parent", "child", "total"}));
  EXPECT_EQ(steps.first_failure(), "child");
}

TEST(StepsTest, StepsBeyondTheSizeOfTheTableStillRun) {
  auto steps = must(Steps::make());
  int runs = 0;
  for (int i = 0; i < 500; ++i) {
    steps.run("again", [&] {
      ++runs;
      return success();
    });
  }
  steps.run("last", failure);
  EXPECT_EQ(runs, 500);
  EXPECT_EQ(steps.first_failure(), "last");
  EXPECT_LE(names_of(steps).size(), 121U);
}

#ifdef ISOLATE_FAULT_POINTS

TEST(FaultPointTest, TheNamedStepFailsWithoutRunning) {
  const test::ScopedVariable fault("ISOLATE_FAULT", "lease");
  auto steps = must(Steps::make());
  bool was_done = false;
  const auto outcome = steps.run("lease", [&] {
    was_done = true;
    return success();
  });
  EXPECT_EQ(test::message_of(outcome), "fault point lease: Input/output error");
  EXPECT_FALSE(was_done);
  EXPECT_EQ(steps.first_failure(), "lease");
}

TEST(FaultPointTest, OtherStepsRun) {
  const test::ScopedVariable fault("ISOLATE_FAULT", "lease");
  auto steps = must(Steps::make());
  for (const char* name : {"lease-drop", "leas", "store"}) EXPECT_TRUE(test::succeeded(steps.run(name, success)));
}

TEST(FaultPointTest, KillEndsTheProcessAtTheStep) {
  const test::ScopedVariable fault("ISOLATE_FAULT", "lease:kill");
  auto steps = must(Steps::make());
  const int end = end_of_child([&] {
    steps.run("store", success);
    steps.run("lease", success);
  });
  EXPECT_TRUE(WIFSIGNALED(end) && WTERMSIG(end) == SIGKILL);
}

#else

TEST(FaultPointTest, AReleaseBuildHasNoFaultPoints) {
  auto steps = must(Steps::make());
  const test::ScopedVariable fault("ISOLATE_FAULT", "lease");
  EXPECT_TRUE(test::succeeded(steps.run("lease", success)));
  const test::ScopedVariable kill("ISOLATE_FAULT", "lease:kill");
  EXPECT_TRUE(test::succeeded(steps.run("lease", success)));
}

#endif

}  // namespace
}  // namespace isolate
