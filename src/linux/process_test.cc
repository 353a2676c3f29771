#include "linux/process.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <signal.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdint>

#include "base/testing.h"
#include "linux/process_testing.h"
#include "linux/signal_reset.h"

namespace isolate {
namespace {

using test::expect_child_to_die_with_its_parent;
using test::is_readable;
using test::pause_for_good;
using test::Pipe;

Result<int> exit_code_of(const std::vector<std::string>& argv, const std::vector<std::string>& environment = {}) {
  auto child = TRY(spawn(argv, {}, environment));
  return TRY(child.wait()).shell_code();
}

TEST(ExitStatusTest, DistinguishesExitCodesFromSignals) {
  const auto code = ExitStatus::from_wait_status(W_EXITCODE(3, 0));
  EXPECT_FALSE(code.signalled);
  EXPECT_EQ(code.shell_code(), 3);
  EXPECT_EQ(code.describe(), "exit status 3");
  const auto killed = ExitStatus::from_wait_status(W_EXITCODE(0, SIGKILL));
  EXPECT_TRUE(killed.signalled);
  EXPECT_FALSE(killed.success());
  EXPECT_EQ(killed.shell_code(), 137);
  EXPECT_EQ(killed.describe(), "signal 9");
  EXPECT_TRUE(ExitStatus::from_wait_status(0).success());
}

TEST(SpawnTest, ReportsTheExitStatus) {
  EXPECT_EQ(test::must(exit_code_of({"/bin/sh", "-c", "exit 7"})), 7);
  EXPECT_EQ(test::must(exit_code_of({"/bin/sh", "-c", "kill -TERM $$"})), 128 + SIGTERM);
}

TEST(SpawnTest, AMissingProgramIsAnError) {
  const auto child = spawn({"/nonexistent/program"});
  EXPECT_TRUE(test::fails_with(child, ENOENT));
  EXPECT_EQ(test::message_of(child), "start /nonexistent/program: No such file or directory");
}

TEST(SpawnTest, DescriptorsAboveTwoAreNotInherited) {
  const Fd inherited(::fcntl(STDERR_FILENO, F_DUPFD, 50));
  const std::string path = "/proc/self/fd/" + std::to_string(inherited.get());
  ASSERT_EQ(::access(path.c_str(), F_OK), 0);
  EXPECT_EQ(test::must(exit_code_of({"/usr/bin/test", "-e", path})), 1);
  EXPECT_EQ(test::must(exit_code_of({"/usr/bin/test", "-e", "/proc/self/fd/2"})), 0);
}

TEST(SpawnTest, StandardInputIsEmptyUnlessGiven) {
  EXPECT_EQ(test::must(exit_code_of({"/bin/sh", "-c", "test \"$(readlink /proc/self/fd/0)\" = /dev/null"})), 0);
  Pipe pipe;
  test::must(write_all(pipe.write.get(), "given", "pipe"));
  pipe.write.reset();
  auto child = test::must(spawn({"/bin/sh", "-c", "test \"$(cat)\" = given"}, {pipe.read.get(), -1, -1}));
  EXPECT_TRUE(test::must(child.wait()).success());
}

TEST(SpawnTest, ADescriptorThatAlreadyHasItsNumberIsInherited) {
  test::in_child([]() -> Result<void> {
    Pipe pipe;
    if (::dup3(pipe.write.get(), STDOUT_FILENO, O_CLOEXEC) < 0) return fail(errno, "dup3");
    auto child = TRY(spawn({"/bin/echo", "arrived"}, {-1, STDOUT_FILENO, -1}));
    TRY(child.wait());
    ::close(STDOUT_FILENO);
    pipe.write.reset();
    return test::verify(TRY(read_all(pipe.read.get())) == "arrived\n", "the output of echo");
  });
}

TEST(SpawnTest, ATiedProgramEndsWithItsParentHoweverEarly) {
  for (int round = 0; round < 30; ++round) {
    Pipe life;
    Pipe spawned;
    auto parent = test::must(fork_child(0, [&] {
      const auto child = spawn_tied({"/bin/sleep", "60"}, {-1, life.write.get(), -1}, SIGTERM);
      return child && write_all(spawned.write.get(), "s", "pipe") ? test::pause_for_good() : 1;
    }));
    life.write.reset();
    ASSERT_TRUE(test::is_readable(spawned.read.get()));
    parent.kill_and_reap();
    ASSERT_TRUE(test::is_readable(life.read.get())) << "it outlived its parent";
  }
}

TEST(SpawnTest, ATiedProgramReceivesTheRequestedDeathSignal) {
  Pipe input;
  Pipe output;
  auto parent = test::must(fork_child(0, [&] {
    const auto child = spawn_tied({"sh", "-c", "trap 'echo told; exit' TERM; echo ready; read line"},
                                  {input.read.get(), output.write.get(), -1}, SIGTERM);
    return child ? test::pause_for_good() : 1;
  }));
  output.write.reset();
  std::array<char, 6> ready{};
  ASSERT_EQ(::read(output.read.get(), ready.data(), ready.size()), 6);
  parent.kill_and_reap();
  EXPECT_EQ(test::must(read_all(output.read.get())), "told\n");
}

TEST(SpawnTest, AMissingTiedProgramEndsWith127) {
  auto child = test::must(spawn_tied({"/nonexistent/program"}, {}, SIGKILL));
  EXPECT_EQ(test::must(child.wait()).shell_code(), 127);
}

// Returns a set of signals from /proc/self/status of a spawned program, without the two that glibc reserves for itself.
Result<std::uint64_t> signals_of_spawned_program(const std::string& set) {
  constexpr std::uint64_t kReservedByGlibc = std::uint64_t{3} << 31;
  const auto output = TRY(run_program({"/bin/grep", set, "/proc/self/status"}));
  return std::stoull(output.out.substr(set.size() + 1), nullptr, 16) & ~kReservedByGlibc;
}

TEST(SpawnTest, ProgramsGetTheCallersSignalSettings) {
  test::in_child([]() -> Result<void> {
    const auto callers = signals_of_caller();
    ::signal(SIGPIPE, SIG_IGN);
    ::signal(SIGTERM, SIG_IGN);
    sigset_t blocked;
    sigemptyset(&blocked);
    sigaddset(&blocked, SIGUSR1);
    ::sigprocmask(SIG_BLOCK, &blocked, nullptr);
    const auto are_callers = TRY(signals_of_spawned_program("SigBlk")) == callers.blocked &&
                             TRY(signals_of_spawned_program("SigIgn")) == callers.ignored;
    return test::verify(are_callers, "only the caller's signals are blocked or ignored");
  });
}

TEST(SpawnTest, AGivenEnvironmentReplacesTheCallersOwn) {
  const test::ScopedVariable secret("ISOLATE_TEST_SECRET", "x");
  EXPECT_EQ(test::must(exit_code_of({"/bin/sh", "-c", "test -z \"$ISOLATE_TEST_SECRET\" && test \"$A\" = b"}, {"A=b"})),
            0);
  EXPECT_EQ(test::must(exit_code_of({"/bin/sh", "-c", "test \"$ISOLATE_TEST_SECRET\" = x"})), 0);
}

TEST(RunProgramTest, OutputAndErrorsAreSeparate) {
  const auto output = test::must(run_program({"/bin/sh", "-c", "echo out; echo err >&2; exit 4"}));
  EXPECT_EQ(output.out, "out\n");
  EXPECT_EQ(output.err, "err\n");
  EXPECT_EQ(output.status.describe(), "exit status 4");
}

TEST(RunProgramTest, TheProgramCanBeKilledWhileItRuns) {
  const auto output = test::must(run_program({"/bin/sh", "-c", "echo out; exec sleep 60"}, {},
                                             [](const ChildProcess& program) { program.signal(SIGKILL); }));
  EXPECT_EQ(output.status.describe(), "signal 9");
}

TEST(RunProgramTest, LongOutputAndErrorsDoNotDeadlock) {
  const auto output = test::must(run_program(
      {"/bin/sh", "-c", "head -c 300000 /dev/zero >&2; head -c 300000 /dev/zero; head -c 9 /dev/zero >&2"}));
  EXPECT_EQ(output.out.size(), 300000U);
  EXPECT_EQ(output.err.size(), 300009U);
}

TEST(RunProgramTest, KeepsOneMebibyteAndDiscardsTheRest) {
  const auto output = test::must(run_program({"/usr/bin/head", "-c", "3000000", "/dev/zero"}));
  EXPECT_TRUE(output.status.success()) << output.status.describe();
  EXPECT_GE(output.out.size(), std::size_t{1} << 20);
  EXPECT_LE(output.out.size(), (std::size_t{1} << 20) + 4096);
}

TEST(RunProgramTest, KeepsAsMuchAsTheCallerWants) {
  const auto output = test::must(run_program({"/usr/bin/head", "-c", "3000000", "/dev/zero"}, {}, {}, 4 << 20));
  EXPECT_EQ(output.out.size(), 3000000U);
}

TEST(ChildProcessTest, IsKilledAndReapedWhenDestroyed) {
  pid_t pid = -1;
  {
    const auto child = test::must(fork_child(0, pause_for_good));
    pid = child.pid();
    ASSERT_EQ(::kill(pid, 0), 0);
  }
  EXPECT_EQ(::kill(pid, 0), -1);
  EXPECT_EQ(errno, ESRCH);
}

TEST(ChildProcessTest, AssignmentKillsAndReapsTheOldChild) {
  auto child = test::must(fork_child(0, pause_for_good));
  const pid_t first = child.pid();
  child = test::must(fork_child(0, [] { return 3; }));
  EXPECT_EQ(::kill(first, 0), -1);
  EXPECT_EQ(test::must(child.wait()).value, 3);
  EXPECT_FALSE(child.running());
}

TEST(ChildProcessTest, ReceivesSignals) {
  auto child = test::must(fork_child(0, pause_for_good));
  child.signal(SIGTERM);
  EXPECT_EQ(test::must(child.wait()).describe(), "signal 15");
}

TEST(ChildProcessTest, ItsPidfdIsReadableWhenItHasEnded) {
  Pipe go;
  auto child = test::must(fork_child(0, [&] {
    char byte = 0;
    return ::read(go.read.get(), &byte, 1) == 1 ? 0 : 1;
  }));
  pollfd source{child.pidfd(), POLLIN, 0};
  EXPECT_EQ(::poll(&source, 1, 0), 0) << "it has not ended yet";
  test::must(write_all(go.write.get(), "g", "pipe"));
  EXPECT_TRUE(is_readable(child.pidfd()));
}

TEST(ForkChildTest, TheChildDiesWithItsParent) {
  expect_child_to_die_with_its_parent([](const auto& body) { return fork_child(0, body); });
}

TEST(ForkChildTest, SignalsDoNotEndTheChildWhileItIsTiedToItsParent) {
  const Fd parent = own_pidfd();
  auto child = test::must(fork_child(0, [&parent] {
    struct sigaction action {};  // without SA_RESTART
    action.sa_handler = [](int) {};
    ::sigaction(SIGALRM, &action, nullptr);
    const itimerval often{{0, 20}, {0, 20}};
    ::setitimer(ITIMER_REAL, &often, nullptr);
    for (int i = 0; i < 20000; ++i) tie_to_parent(parent.get());
    return 7;
  }));
  EXPECT_EQ(test::must(child.wait()).value, 7);
}

TEST(ForkChildTest, TheChildIsInTheNewNamespaces) {
  REQUIRE_ROOT();
  auto child = test::must(fork_child(CLONE_NEWPID, [] { return ::getpid() == 1 ? 0 : 1; }));
  EXPECT_TRUE(test::must(child.wait()).success());
}

TEST(ForkChildTest, ForbiddenNamespacesAreErrors) {
  REQUIRE_ROOT();
  test::in_child([]() -> Result<void> {
    if (::setresuid(1, 1, 1) != 0) return fail(errno, "setresuid");
    auto child = fork_child(CLONE_NEWPID, [] { return 0; });
    return test::verify(!child && child.error().code() == EPERM, "EPERM of clone");
  });
}

TEST(ForkChildTest, WorksWithAFilterThatRefusesClone3) {
  test::expect_success(test::outcome_in_child([]() -> Result<void> {
    TRY_VOID(test::refuse_clone3());
    auto child = TRY(fork_child(0, [] { return 7; }));
    return test::verify(TRY(child.wait()).value == 7, "its exit status");
  }));
}

TEST(EnvironmentTest, ContainsEveryVariable) {
  const test::ScopedVariable variable("ISOLATE_TEST_VARIABLE", "a=b");
  const auto environment = current_environment();
  EXPECT_EQ(std::count(environment.begin(), environment.end(), "ISOLATE_TEST_VARIABLE=a=b"), 1);
}

TEST(EnvironmentTest, PointersEndWithANull) {
  const std::vector<std::string> words = {"a", "bc"};
  const auto pointers = pointer_array(words);
  ASSERT_EQ(pointers.size(), 3U);
  EXPECT_STREQ(pointers[1], "bc");
  EXPECT_EQ(pointers[2], nullptr);
}

TEST(ForkInGroupTest, ADirectoryThatIsNoControlGroupIsAnErrorAndThereIsNoChild) {
  const auto directory = test::must(open_file(AT_FDCWD, "/", O_RDONLY | O_DIRECTORY));
  const auto child = fork_child_in_group(directory.get(), 0, [] { return 0; });
  ASSERT_FALSE(child);
  EXPECT_TRUE(child.error().code() == EBADF || child.error().code() == ENOSYS) << child.error().message();
  EXPECT_EQ(::waitpid(-1, nullptr, WNOHANG), -1) << "there is a child";
}

}  // namespace
}  // namespace isolate
