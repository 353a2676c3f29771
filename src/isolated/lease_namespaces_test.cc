#include "isolated/lease_namespaces.h"

#include <gtest/gtest.h>
#include <linux/nsfs.h>
#include <sched.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdint>
#include <vector>

#include "base/testing.h"
#include "linux/file.h"
#include "linux/process_testing.h"
#include "linux/reporting_child.h"

namespace isolate {
namespace {

using test::must;

constexpr uid_t kMember = 61234;
constexpr std::uint32_t kBase = 1900000000;

class LeaseNamespacesTest : public ::testing::Test {
 protected:
  void SetUp() override { REQUIRE_ROOT(); }
  static Result<wire::Nested> made_for(const std::optional<wire::NestedRequest>& nested) {
    const auto made = TRY(make_lease_namespaces(peer_, member_maps(peer_, kBase, false), nested));
    const bool has_guest = static_cast<bool>(made.guest);
    if (has_guest != (made.nested != wire::Nested::none)) return fail("the descriptor");
    uid_t owner = 0;
    if (has_guest && ::ioctl(made.guest.get(), NS_GET_OWNER_UID, &owner) == 0 && owner != kMember) return fail("owner");
    return made.nested;
  }
  // Stands for a host that allows no user namespace below another one.
  static Result<wire::Nested> made_without_below(const std::optional<wire::NestedRequest>& nested) {
    auto made = wire::Nested::none;
    const Pipe report = TRY(make_pipe("report"));
    TRY_VOID(TRY(ReportingChild::start([&]() -> Result<void> {
               TRY_VOID(test::refuse_unsharing());
               made = TRY(made_for(nested));
               return write_all(report.write.get(), {reinterpret_cast<const char*>(&made), sizeof made}, "report");
             })).finish());
    if (::read(report.read.get(), &made, sizeof made) != sizeof made) return fail("the child reported nothing");
    return made;
  }
  inline static const Peer peer_{kMember, kMember, 1, {}};
};

TEST_F(LeaseNamespacesTest, TheGuestsNamespaceLiesBelowIfTheHostAllowsIt) {
  EXPECT_EQ(must(made_for({})), wire::Nested::none);
  EXPECT_EQ(must(made_for(wire::NestedRequest{false, std::nullopt})), wire::Nested::none);
  EXPECT_EQ(must(made_for(wire::NestedRequest{false, 100})), wire::Nested::below);
  EXPECT_EQ(must(made_for(wire::NestedRequest{true, std::nullopt})), wire::Nested::below);
  EXPECT_EQ(must(made_for(wire::NestedRequest{true, 0})), wire::Nested::below);
}

TEST_F(LeaseNamespacesTest, OtherwiseItLiesBesideIfMountsHaveToBeLocked) {
  EXPECT_EQ(must(made_without_below(wire::NestedRequest{false, 100})), wire::Nested::none);
  EXPECT_EQ(must(made_without_below(wire::NestedRequest{true, 100})), wire::Nested::beside);
}

// Forks in the namespace as its root until that fails. Returns how many processes there were.
int fork_in(int user_namespace) {
  if (::setns(user_namespace, CLONE_NEWUSER) != 0 || ::setuid(0) != 0) return -1;
  constexpr int kTries = 20;
  std::vector<pid_t> children;
  while (children.size() < kTries) {
    const pid_t child = ::fork();
    if (child == 0) {
      ::pause();
      ::_exit(0);
    }
    if (child < 0) break;
    children.push_back(child);
  }
  for (const pid_t child : children) {
    ::kill(child, SIGKILL);
    ::waitpid(child, nullptr, 0);
  }
  return static_cast<int>(children.size());
}

TEST_F(LeaseNamespacesTest, TheLimitOnProcessesIsTheMembers) {
  constexpr rlim_t kLimit = 8;
  // Other tests that run at the same time start processes of kMember, which would count as well.
  constexpr uid_t kLimited = kMember + 1;
  auto member = must(fork_child(0, [] {
    const rlimit limit{kLimit, kLimit};
    if (::setrlimit(RLIMIT_NPROC, &limit) != 0) return 1;
    ::raise(SIGSTOP);
    return 0;
  }));
  siginfo_t info{};
  ASSERT_EQ(::waitid(P_PIDFD, static_cast<id_t>(member.pidfd()), &info, WSTOPPED | WNOWAIT), 0);
  const Peer peer{kLimited, kLimited, member.pid(), {}};
  const auto made = must(make_lease_namespaces(peer, member_maps(peer, kBase, false), {}));
  auto counter = must(fork_child(0, [&] { return fork_in(made.user_namespace.get()); }));
  const auto forked = must(counter.wait()).value;
  EXPECT_GT(forked, 0);
  EXPECT_LE(forked, static_cast<int>(kLimit));
  member.kill_and_reap();
}

}  // namespace
}  // namespace isolate
