#include "run/cleanup_process.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <fstream>

#include "base/testing.h"
#include "linux/file.h"

namespace isolate {
namespace {

// A process that has ended and that this one has not reaped.
pid_t zombie(const char* name) {
  const pid_t pid = ::fork();
  if (pid == 0) {
    ::prctl(PR_SET_NAME, name);
    ::_exit(0);
  }
  siginfo_t end{};
  ::waitid(P_PID, static_cast<id_t>(pid), &end, WEXITED | WNOWAIT);
  return pid;
}

class CleanupProcessTest : public ::testing::Test {
 protected:
  std::string record() const { return directory_ / "ended"; }
  bool can_run() const {
    CleanupProcess end;
    end.prepare(record());
    return end.can_run();
  }
  test::TempDirectory directory_;
};

TEST_F(CleanupProcessTest, IsImpossibleWhileTheLastChildIsAZombie) {
  EXPECT_TRUE(can_run()) << "no record";
  const pid_t child = zombie("isolate-end");
  std::ofstream(record()) << child;
  EXPECT_FALSE(can_run());
  ::waitpid(child, nullptr, 0);
  EXPECT_TRUE(can_run()) << "it was reaped";
}

TEST_F(CleanupProcessTest, IgnoresZombiesOfOtherPrograms) {
  const pid_t other = zombie("other");
  std::ofstream(record()) << other;
  EXPECT_TRUE(can_run());
  ::waitpid(other, nullptr, 0);
  std::ofstream(record()) << "../../etc/passwd";
  EXPECT_TRUE(can_run()) << "nonsense in the record";
}

TEST_F(CleanupProcessTest, TheChildBeginsWhenTheCallersSideHasEndedAndClosedItsDescriptors) {
  test::in_child([this]() -> Result<void> {
    // So this process reaps isolate's side and, after that, the orphaned child.
    ::prctl(PR_SET_CHILD_SUBREAPER, 1);
    int inherited[2];
    if (::pipe2(inherited, 0) != 0) return fail(errno, "pipe");
    const pid_t callers = ::fork();
    if (callers == 0) {
      ::close(inherited[0]);
      CleanupProcess end;
      end.prepare(record());
      if (!end.fork_after_closing()) ::_exit(7);
      // Give the parent time to see the end of the pipe, which this process must not hold open.
      ::usleep(300'000);
      const bool is_closed = ::fcntl(inherited[1], F_GETFD) < 0;
      std::ofstream(directory_ / "behind") << (::getsid(0) == ::getpid()) << is_closed;
      ::_exit(0);
    }
    ::close(inherited[1]);
    char byte = 0;
    TRY_VOID(test::verify(::read(inherited[0], &byte, 1) == 0, "the end of the pipe"));
    TRY_VOID(test::verify(!read_file(directory_ / "behind"), "before the child has done its work"));
    int status = 0;
    ::waitpid(callers, &status, 0);
    TRY_VOID(test::verify(WIFEXITED(status) && WEXITSTATUS(status) == 7, "the caller's side has its own status"));
    const pid_t child = ::waitpid(-1, &status, 0);
    TRY_VOID(test::verify(TRY(read_file(record())) == std::to_string(child), "its pid"));
    return test::verify(TRY(read_file(directory_ / "behind")) == "11", "a session of its own and no inherited pipe");
  });
}

}  // namespace
}  // namespace isolate
