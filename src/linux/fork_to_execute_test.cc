#include "linux/fork_to_execute.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cstdint>
#include <filesystem>
#include <string>

#include "base/testing.h"
#include "linux/file.h"
#include "linux/process_table.h"
#include "linux/process_testing.h"
#include "linux/user_namespace.h"

namespace isolate {
namespace {

using test::expect_child_to_die_with_its_parent;
using test::Pipe;

TEST(ForkToExecuteTest, TheChildExecutesAProgramOrEnds) {
  auto program = test::must(fork_to_execute([] { return ::execl("/bin/sh", "sh", "-c", "exit 9", nullptr); }));
  EXPECT_EQ(test::must(program.wait()).value, 9);
  auto ended = test::must(fork_to_execute([] { return 7; }));
  EXPECT_EQ(test::must(ended.wait()).value, 7);
}

TEST(ForkToExecuteTest, TheChildHasItsOwnDescriptorsAndDirectory) {
  const Pipe pipe;
  const auto directory = std::filesystem::current_path();
  auto child = test::must(fork_to_execute([&] { return ::close(pipe.write.get()) == 0 && ::chdir("/") == 0 ? 0 : 1; }));
  EXPECT_TRUE(test::must(child.wait()).success());
  EXPECT_GE(::fcntl(pipe.write.get(), F_GETFD), 0);
  EXPECT_EQ(std::filesystem::current_path(), directory);
}

// Each child is killed by a timer of its own, which can hit any point of malloc or free.
TEST(ForkToExecuteTest, AChildThatIsKilledWhileItUsesMemoryLeavesThisProcessIntact) {
  for (int i = 0; i < 300; ++i) {
    auto child = test::must(fork_to_execute([i] {
      const itimerval timer{{0, 0}, {0, 1 + i}};
      ::setitimer(ITIMER_REAL, &timer, nullptr);
      std::array<std::string, 16> strings;
      for (std::size_t size = 0;; size = (size + 7919) % 3000) strings[size % strings.size()].assign(size, 'x');
      return 0;
    }));
    EXPECT_EQ(test::must(child.wait()).describe(), "signal 14");
  }
}

TEST(ForkToExecuteTest, TheChildDiesWithItsParent) {
  expect_child_to_die_with_its_parent([](const std::function<int()>& body) { return fork_to_execute(body); });
}

TEST(ForkToExecuteTest, TheChildIsInTheNewNamespaces) {
  REQUIRE_ROOT();
  auto child = test::must(fork_to_execute([] { return ::getpid() == 1 ? 0 : 1; }, CLONE_NEWPID));
  EXPECT_TRUE(test::must(child.wait()).success());
}

IdMaps ten_ids(std::uint32_t first) { return {{{0, first, 10}}, {{0, first, 10}}}; }

// Runs `make` in a child, which then ends, and returns the process that `make` started and this process has adopted.
std::optional<ChildProcess> adopted(const std::function<Result<ChildProcess>(const Adoption&)>& make,
                                    bool succeeds = true) {
  auto adoption = test::must(Adoption::prepare());
  auto maker = test::must(fork_to_execute([&] { return make(adoption) ? 0 : 1; }));
  auto child = test::must(adoption.receive_child());
  EXPECT_EQ(test::must(maker.wait()).success(), succeeds);
  return child;
}

TEST(AdoptionTest, TheAdoptingProcessWaitsForTheChild) {
  auto child = adopted([](const Adoption& adoption) {
    return fork_to_execute([] { return ::execl("/bin/sh", "sh", "-c", "exit 9", nullptr); }, 0, &adoption);
  });
  ASSERT_TRUE(child);
  EXPECT_EQ(test::must(child->wait()).value, 9);
}

TEST(AdoptionTest, TheChildMayHaveNewNamespaces) {
  REQUIRE_ROOT();
  auto child = adopted([](const Adoption& adoption) {
    auto body = [] { return ::getpid() == 1 && become_root() && ::getuid() == 0 ? 5 : 1; };
    return fork_to_execute_below(body, CLONE_NEWPID, ten_ids(1'900'000'500), {}, &adoption);
  });
  ASSERT_TRUE(child);
  EXPECT_EQ(test::must(child->wait()).value, 5);
}

TEST(AdoptionTest, NothingIsAdoptedWhenTheMakerMakesNoChild) {
  EXPECT_FALSE(adopted([](const Adoption&) -> Result<ChildProcess> { return fail("nothing was made"); }, false));
}

void wait_until_asleep(pid_t process) {
  const auto state = [path = "/proc/" + std::to_string(process) + "/stat"] {
    return test::must(process_info_from(test::must(read_file(path)))).state;
  };
  while (state() != 'S') ::sched_yield();
}

TEST(AdoptionTest, ASignalDoesNotEndTheWait) {
  struct sigaction action {};  // without SA_RESTART
  action.sa_handler = [](int) {};
  struct sigaction before {};
  ::sigaction(SIGUSR1, &action, &before);
  auto adoption = test::must(Adoption::prepare());
  auto maker = test::must(fork_child(0, [&adoption, parent = ::getpid()] {
    wait_until_asleep(parent);
    ::kill(parent, SIGUSR1);
    wait_until_asleep(parent);
    return fork_to_execute([] { return 3; }, 0, &adoption) ? 0 : 1;
  }));
  auto child = test::must(adoption.receive_child());
  ::sigaction(SIGUSR1, &before, nullptr);
  ASSERT_TRUE(child);
  EXPECT_EQ(test::must(child->wait()).value, 3);
  EXPECT_TRUE(test::must(maker.wait()).success());
}

TEST(AdoptionTest, AChildWithRefusedMapsIsKilledAndAdoptedToBeReaped) {
  REQUIRE_ROOT();
  auto child = adopted(
      [](const Adoption& adoption) {
        const IdMaps overlapping = {{{0, 1'900'000'300, 10}, {5, 1'900'000'400, 10}}, {{0, 1'900'000'300, 10}}};
        return fork_to_execute_below([] { return 0; }, 0, overlapping, {}, &adoption);
      },
      false);
  ASSERT_TRUE(child);
  EXPECT_EQ(test::must(child->wait()).describe(), "signal 9");
}

// Each of them had the other's end of a pipe, and this process waited for both.
TEST(AdoptionTest, AMakerThatIsKilledBeforeTheChildIsMappedEndsTheWait) {
  REQUIRE_ROOT();
  auto adoption = test::must(Adoption::prepare());
  auto maker = test::must(fork_to_execute([&adoption] {
    const auto die = [](const ChildProcess&) -> Result<void> {
      ::raise(SIGKILL);
      return {};
    };
    return fork_to_execute_mapped([] { return 0; }, 0, {}, die, &adoption) ? 0 : 1;
  }));
  EXPECT_FALSE(test::must(adoption.receive_child()));
  EXPECT_EQ(test::must(maker.wait()).describe(), "signal 9");
  // The child, which nobody has announced, belongs to this process as well.
  EXPECT_GT(::waitpid(-1, nullptr, 0), 0);
}

TEST(AdoptionTest, TheChildDiesWithTheProcessThatAdoptedIt) {
  expect_child_to_die_with_its_parent([](const std::function<int()>& body) -> Result<ChildProcess> {
    return *adopted([&body](const Adoption& adoption) { return fork_to_execute(body, 0, &adoption); });
  });
}

TEST(ForkToExecuteBelowTest, TheChildIsRootOfItsNamespaceAndExecutesAProgram) {
  REQUIRE_ROOT();
  constexpr std::uint32_t kFirst = 1'900'000'100;
  auto child = test::must(fork_to_execute_below(
      [] {
        if (!become_root()) return 1;
        return ::execl("/bin/sh", "sh", "-c",
                       "test $(id -u) = 0 && read -r first base count </proc/self/uid_map &&"
                       "test $first.$base.$count = 0.1900000100.10",
                       nullptr);
      },
      0, ten_ids(kFirst), {}));
  EXPECT_TRUE(test::must(child.wait()).success());
  auto first =
      test::must(fork_to_execute_below([] { return ::getpid() == 1 ? 0 : 1; }, CLONE_NEWPID, ten_ids(kFirst), {}));
  EXPECT_TRUE(test::must(first.wait()).success());
}

TEST(ForkToExecuteBelowTest, TheChildDiesWithItsParent) {
  REQUIRE_ROOT();
  expect_child_to_die_with_its_parent(
      [](const std::function<int()>& body) { return fork_to_execute_below(body, 0, ten_ids(1'900'000'200), {}); });
}

TEST(ForkToExecuteBelowTest, AChildWithRefusedMapsDoesNotRunItsBody) {
  REQUIRE_ROOT();
  const IdMaps overlapping = {{{0, 1'900'000'300, 10}, {5, 1'900'000'400, 10}}, {{0, 1'900'000'300, 10}}};
  const Pipe pipe;
  auto body = [&pipe] { return write_all(pipe.write.get(), "x", "pipe") ? 0 : 1; };
  EXPECT_FALSE(fork_to_execute_below(body, 0, overlapping, {}));
  pollfd source{pipe.read.get(), POLLIN, 0};
  EXPECT_EQ(::poll(&source, 1, 100), 0);
}

std::string user_namespace_of(const std::string& process) {
  return std::filesystem::read_symlink("/proc/" + process + "/ns/user");
}

TEST(NamespaceHolderTest, HasItsOwnNamespaceUntilItIsKilled) {
  REQUIRE_ROOT();
  pid_t pid = -1;
  {
    const auto holder = test::must(fork_namespace_holder());
    pid = holder.pid();
    EXPECT_NE(user_namespace_of(std::to_string(pid)), user_namespace_of("self"));
  }
  EXPECT_EQ(::kill(pid, 0), -1);
}

// The kernel enforces the limit of a namespace when one of its processes forks, whatever id that process has inside.
TEST(NamespaceHolderTest, AllIdsOfALimitedNamespaceCountTogether) {
  REQUIRE_ROOT();
  test::in_child([]() -> Result<void> {
    constexpr std::uint32_t kFirst = 1'900'000'000;
    const auto limited = TRY(make_user_namespace(ten_ids(kFirst), MapWriter::direct, {8, kFirst}));
    TRY_VOID(test::verify(::getuid() == 0 && ::geteuid() == 0, "root again"));
    return run_as_root_in(limited.get(), []() -> Result<void> {
      std::vector<ChildProcess> children;
      for (uid_t id = 1; id <= 9; ++id) {
        auto child = fork_child(0, [id] {
          if (::setresuid(id, id, id) != 0) return 1;
          die_with_parent();
          ::pause();
          return 0;
        });
        if (!child) {
          TRY_VOID(test::verify(child.error().code() == EAGAIN, "EAGAIN"));
          return test::verify(children.size() == 7, "8 processes, this one too");
        }
        children.push_back(std::move(*child));
      }
      return fail("nine children were started");
    });
  });
}

}  // namespace
}  // namespace isolate
