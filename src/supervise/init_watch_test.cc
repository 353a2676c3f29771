#include "supervise/init_watch.h"

#include <poll.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/testing.h"

namespace isolate {
namespace {

using std::chrono::seconds;

constexpr InitWatch::Clock::time_point kStart{};
constexpr auto kLate = kStart + InitWatch::kPatience;

TEST(InitWatchTest, AnInitThatOwesNothingIsNotGivenUp) {
  InitWatch watch;
  EXPECT_FALSE(watch.deadline());
  EXPECT_FALSE(watch.give_up(kStart + std::chrono::hours(24)));
}

TEST(InitWatchTest, AnInitThatDoesNotAnswerIsGivenUpOnce) {
  InitWatch watch;
  watch.expect_answer(kStart);
  EXPECT_FALSE(watch.give_up(kLate - seconds(1)));
  EXPECT_TRUE(watch.give_up(kLate));
  EXPECT_FALSE(watch.give_up(kLate));
  EXPECT_TRUE(watch.has_given_up());
}

TEST(InitWatchTest, AnswersAreCounted) {
  InitWatch watch;
  watch.expect_answer(kStart);
  watch.expect_answer(kStart + seconds(1));
  watch.note_answer(kStart + seconds(2));
  EXPECT_TRUE(watch.waits_for_answer());
  EXPECT_EQ(watch.deadline(), kLate + seconds(2));
  watch.note_answer(kStart + seconds(3));
  EXPECT_FALSE(watch.waits_for_answer());
  EXPECT_FALSE(watch.deadline());
  // An answer to no signal does not count for a later one.
  watch.note_answer(kStart + seconds(3));
  watch.expect_answer(kStart + seconds(4));
  EXPECT_TRUE(watch.waits_for_answer());
}

TEST(InitWatchTest, InitMustReportTheEndOfTheCommand) {
  const pid_t child = ::fork();
  if (child == 0) ::_exit(7);
  InitWatch watch;
  watch.watch_command(child);
  pollfd source{watch.command_pidfd(), POLLIN, 0};
  ASSERT_EQ(::poll(&source, 1, 10'000), 1);
  watch.note_end_of_command(kStart);
  EXPECT_EQ(watch.command_pidfd(), -1);
  watch.expect_answer(kStart + seconds(1));
  watch.note_answer(kStart + seconds(1));
  EXPECT_EQ(watch.deadline(), kLate);
  ASSERT_EQ(::waitpid(child, nullptr, 0), child);
  // Kernels before 6.15 do not say how it ended.
  EXPECT_EQ(watch.end_of_command().value_or(ExitStatus{false, 7}).shell_code(), 7);
}

}  // namespace
}  // namespace isolate
