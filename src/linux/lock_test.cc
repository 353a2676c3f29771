#include "linux/lock.h"

#include <gtest/gtest.h>
#include <poll.h>
#include <signal.h>
#include <sys/time.h>
#include <unistd.h>

#include "base/testing.h"
#include "linux/file.h"
#include "linux/process.h"
#include "linux/user_namespace.h"

namespace isolate {
namespace {

using Mode = FileLock::Mode;

class LockTest : public ::testing::Test {
 protected:
  Fd open_again() const { return test::must(open_file(AT_FDCWD, directory_ / "lock", O_RDWR | O_CREAT, 0600)); }
  Result<FileLock> try_lock(Mode mode) const { return FileLock::try_lock(open_again(), mode); }
  bool is_locked() const {
    auto lock = try_lock(Mode::exclusive);
    return !lock && lock.error().code() == EWOULDBLOCK;
  }
  // A child that lives until it is killed.
  static ChildProcess sleeper() {
    return test::must(fork_child(0, [] {
      ::pause();
      return 0;
    }));
  }

  test::TempDirectory directory_;
};

TEST_F(LockTest, AnExclusiveLockExcludesAllOthers) {
  const auto lock = test::must(try_lock(Mode::exclusive));
  EXPECT_TRUE(test::fails_with(try_lock(Mode::exclusive), EWOULDBLOCK));
  EXPECT_TRUE(test::fails_with(try_lock(Mode::shared), EWOULDBLOCK));
}

TEST_F(LockTest, ASharedLockExcludesOnlyExclusiveOnes) {
  const auto lock = test::must(try_lock(Mode::shared));
  EXPECT_TRUE(test::succeeded(try_lock(Mode::shared)));
  EXPECT_TRUE(test::fails_with(try_lock(Mode::exclusive), EWOULDBLOCK));
}

TEST_F(LockTest, IsDroppedWhenItsOwnerIsDestroyed) {
  {
    auto lock = test::must(try_lock(Mode::exclusive));
    const FileLock moved = std::move(lock);
    EXPECT_TRUE(is_locked());
  }
  EXPECT_FALSE(is_locked());
}

TEST_F(LockTest, ACopyInAnotherProcessKeepsIt) {
  auto lock = test::must(try_lock(Mode::exclusive));
  auto holder = sleeper();
  lock = FileLock();
  EXPECT_TRUE(is_locked());
  holder.kill_and_reap();
  EXPECT_FALSE(is_locked());
}

TEST_F(LockTest, SigkillDropsIt) {
  int ends[2];
  ASSERT_EQ(::pipe2(ends, O_CLOEXEC), 0);
  const Fd ready(ends[0]);
  Fd report(ends[1]);
  auto holder = test::must(fork_child(0, [&] {
    auto lock = try_lock(Mode::exclusive);
    if (!lock || !write_all(report.get(), "l", "pipe")) return 1;
    ::pause();
    return 0;
  }));
  report.reset();
  char byte = 0;
  ASSERT_EQ(::read(ready.get(), &byte, 1), 1);
  EXPECT_TRUE(is_locked());
  holder.signal(SIGKILL);
  EXPECT_TRUE(test::must(holder.wait()).signalled);
  EXPECT_FALSE(is_locked());
}

TEST_F(LockTest, WaitingEndsWhenTheHolderDoes) {
  auto lock = test::must(try_lock(Mode::exclusive));
  auto waiter = test::must(fork_child(0, [&] {
    lock = FileLock();  // drops the child's copy of the lock
    return FileLock::wait(open_again(), Mode::exclusive) ? 0 : 1;
  }));
  pollfd end{waiter.pidfd(), POLLIN, 0};
  EXPECT_EQ(::poll(&end, 1, 50), 0) << "it did not wait";
  lock = FileLock();
  EXPECT_TRUE(test::must(waiter.wait()).success());
}

TEST_F(LockTest, WaitingContinuesAfterASignal) {
  auto lock = test::must(try_lock(Mode::exclusive));
  auto waiter = test::must(fork_child(0, [&] {
    lock = FileLock();
    struct sigaction action {};
    action.sa_handler = [](int) {};
    ::sigaction(SIGALRM, &action, nullptr);
    const itimerval often{{0, 2000}, {0, 2000}};
    ::setitimer(ITIMER_REAL, &often, nullptr);
    return FileLock::wait(open_again(), Mode::exclusive) ? 0 : 1;
  }));
  ::usleep(50000);
  lock = FileLock();
  EXPECT_EQ(test::must(waiter.wait()).describe(), "exit status 0");
}

}  // namespace
}  // namespace isolate
