#include "linux/user_namespace.h"

#include <fmt/format.h>
#include <grp.h>
#include <gtest/gtest.h>
#include <linux/nsfs.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdint>

#include "base/testing.h"
#include "linux/file.h"

namespace isolate {
namespace {

using test::PretendedUser;
using test::verify;

constexpr unsigned kFirstId = 1200000000;
const IdMaps kPrivate = {{{0, kFirstId, 65536}}, {{0, kFirstId + 100, 65536}}};

// Returns the numbers in /proc/self/uid_map or gid_map, separated by single blanks.
Result<std::string> map_of_this_process(const char* name) {
  std::istringstream words(TRY(read_file(std::string("/proc/self/") + name)));
  std::string numbers;
  for (std::string word; words >> word;) numbers += (numbers.empty() ? "" : " ") + word;
  return numbers;
}

class UserNamespaceTest : public ::testing::Test {
 protected:
  void SetUp() override { REQUIRE_ROOT(); }
};

TEST_F(UserNamespaceTest, HasTheRequestedMaps) {
  const auto fd = test::must(make_user_namespace(kPrivate, MapWriter::direct));
  test::expect_success(run_as_root_in(fd.get(), []() -> Result<void> {
    const auto uids = TRY(map_of_this_process("uid_map"));
    const auto gids = TRY(map_of_this_process("gid_map"));
    return verify(uids == "0 1200000000 65536" && gids == "0 1200000100 65536", uids + ", " + gids);
  }));
}

TEST_F(UserNamespaceTest, MapsCanHaveSeveralEntries) {
  const IdMaps maps = {{{0, 1000, 1}, {1, kFirstId, 65535}}, {{0, 1000, 1}, {1, kFirstId, 65535}}};
  const auto fd = test::must(make_user_namespace(maps, MapWriter::direct));
  test::expect_success(run_as_root_in(fd.get(), []() -> Result<void> {
    const auto uids = TRY(map_of_this_process("uid_map"));
    return verify(uids == "0 1000 1 1 1200000000 65535", uids);
  }));
}

TEST_F(UserNamespaceTest, NoProcessIsLeftInIt) {
  const auto fd = test::must(make_user_namespace(kPrivate, MapWriter::direct));
  EXPECT_EQ(::waitpid(-1, nullptr, WNOHANG), -1);
  EXPECT_EQ(errno, ECHILD);
}

TEST_F(UserNamespaceTest, OverlappingMapsAreRefused) {
  const IdMaps overlapping = {{{0, kFirstId, 10}, {5, kFirstId + 100, 10}}, {{0, kFirstId, 10}}};
  EXPECT_TRUE(test::fails_with(make_user_namespace(overlapping, MapWriter::direct), EINVAL));
}

TEST_F(UserNamespaceTest, AProcessThatEntersIsRootWithoutGroups) {
  const test::TempDirectory directory;
  std::filesystem::permissions(directory.path(), std::filesystem::perms::all);
  const auto fd = test::must(make_user_namespace(kPrivate, MapWriter::direct));
  test::expect_success(test::outcome_in_child([&]() -> Result<void> {
    const gid_t group = 4;
    if (::setgroups(1, &group) != 0) return fail(errno, "setgroups");
    TRY_VOID(become_root_in(fd.get()));
    TRY_VOID(verify(::getuid() == 0 && ::geteuid() == 0 && ::getegid() == 0, "uid and gid 0"));
    TRY_VOID(verify(::getgroups(0, nullptr) == 0, "no supplementary groups"));
    TRY(open_file(AT_FDCWD, directory / "made", O_CREAT | O_WRONLY, 0600));
    return {};
  }));
  const auto made = test::must(status_of(AT_FDCWD, directory / "made"));
  EXPECT_EQ(made.st_uid, kFirstId) << "outside, root is an ordinary id";
  EXPECT_EQ(made.st_gid, kFirstId + 100);
}

TEST_F(UserNamespaceTest, ItsRootHasNoRightsOutside) {
  const auto fd = test::must(make_user_namespace(kPrivate, MapWriter::direct));
  EXPECT_TRUE(test::fails_with(run_as_root_in(fd.get(),
                                              []() -> Result<void> {
                                                TRY(open_file(AT_FDCWD, "/etc/shadow", O_RDONLY));
                                                return {};
                                              }),
                               EACCES));
}

TEST_F(UserNamespaceTest, ErrorsKeepTheirCodeAndAdvice) {
  const auto fd = test::must(make_user_namespace(kPrivate, MapWriter::direct));
  const auto failed = run_as_root_in(fd.get(), [] { return fail(Error(ENOSPC, "write a").advise("make room")); });
  EXPECT_TRUE(test::fails_with(failed, ENOSPC));
  EXPECT_EQ(test::message_of(failed), "write a: No space left on device; make room");
}

TEST_F(UserNamespaceTest, TheCallerStaysInItsOwnNamespace) {
  const auto before = test::must(map_of_this_process("uid_map"));
  const auto fd = test::must(make_user_namespace(kPrivate, MapWriter::direct));
  test::expect_success(run_as_root_in(fd.get(), [] { return Result<void>(); }));
  EXPECT_EQ(test::must(map_of_this_process("uid_map")), before);
}

TEST_F(UserNamespaceTest, WithoutANamespaceTheBodyRunsInThisProcess) {
  pid_t pid = -1;
  test::expect_success(run_as_root_in(-1, [&]() -> Result<void> {
    pid = ::getpid();
    return {};
  }));
  EXPECT_EQ(pid, ::getpid());
}

TEST_F(UserNamespaceTest, EveryUserMayMapTheirOwnId) {
  test::as_pretended_user({}, [](const std::string&) -> Result<void> {
    const IdMaps single = {{{0, PretendedUser::kId, 1}}, {{0, PretendedUser::kId, 1}}};
    const auto fd = TRY(make_user_namespace(single, MapWriter::self));
    return run_as_root_in(fd.get(), []() -> Result<void> {
      TRY_VOID(verify(TRY(map_of_this_process("uid_map")) == "0 54321 1", "the caller's own id"));
      const auto setgroups = TRY(read_file("/proc/self/setgroups"));
      return verify(setgroups == "deny\n", "groups can't be dropped (CVE-2014-8989)");
    });
  });
}

TEST_F(UserNamespaceTest, AUserMayNotMapIdsOfOthers) {
  test::as_pretended_user({}, [](const std::string&) -> Result<void> {
    auto made = make_user_namespace({{{0, 0, 1}}, {{0, 0, 1}}}, MapWriter::self);
    return verify(!made && made.error().code() == EPERM, "EPERM");
  });
}

TEST_F(UserNamespaceTest, NewuidmapWritesTheRangesOfTheUser) {
  test::as_pretended_user({}, [](const std::string&) -> Result<void> {
    const IdMaps maps = {{{0, PretendedUser::kId, 1}, {1, 300000, 65536}},
                         {{0, PretendedUser::kId, 1}, {1, 400000, 65536}}};
    const auto fd = TRY(make_user_namespace(maps, MapWriter::newuidmap));
    return run_as_root_in(fd.get(), []() -> Result<void> {
      const auto gids = TRY(map_of_this_process("gid_map"));
      return verify(gids == "0 54321 1 1 400000 65536", gids);
    });
  });
}

TEST_F(UserNamespaceTest, NewuidmapRefusesRangesOfOthers) {
  test::as_pretended_user({}, [](const std::string&) -> Result<void> {
    auto made = make_user_namespace({{{0, 500000, 10}}, {{0, 400000, 10}}}, MapWriter::newuidmap);
    return verify(test::message_of(made) ==
                      "newuidmap refused the id map (newuidmap: uid range [0-10) -> [500000-500010) not "
                      "allowed); see /etc/subuid and /etc/subgid",
                  "a plain refusal, not: " + test::message_of(made));
  });
}

constexpr uid_t kOwner = 54321;
const IdMaps kOfOwner = {{{0, kOwner, 1}, {1, kFirstId, 65535}}, {{0, kOwner, 1}, {1, kFirstId, 65535}}};
const IdMaps kSame = {{{0, 0, 1}, {1, 1, 65535}}, {{0, 0, 1}, {1, 1, 65535}}};

TEST_F(UserNamespaceTest, ANestedNamespaceBelongsToTheRootOfTheOneAbove) {
  const auto above = test::must(make_user_namespace(kOfOwner, MapWriter::direct, {UINT64_MAX, kOwner}));
  const auto below = test::must(make_user_namespace_below(above.get(), kSame, 4096));
  uid_t owner = 0;
  ASSERT_EQ(::ioctl(below.get(), NS_GET_OWNER_UID, &owner), 0);
  EXPECT_EQ(owner, kOwner);
  const Fd parent(::ioctl(below.get(), NS_GET_PARENT));
  ASSERT_TRUE(parent);
  EXPECT_EQ(test::must(status_of(parent.get(), "", AT_EMPTY_PATH)).st_ino,
            test::must(status_of(above.get(), "", AT_EMPTY_PATH)).st_ino);
  test::expect_success(run_as_root_in(above.get(), [&]() -> Result<void> {
    TRY_VOID(become_root_in(below.get()));
    const auto uids = TRY(map_of_this_process("uid_map"));
    return verify(uids == "0 0 1 1 1 65535", uids);
  }));
  EXPECT_EQ(::waitpid(-1, nullptr, WNOHANG), -1) << "no process may be left";
}

TEST_F(UserNamespaceTest, TheProcessLimitCountsAllProcessesInsideAndNoneOutside) {
  const auto above = test::must(make_user_namespace(kOfOwner, MapWriter::direct, {UINT64_MAX, kOwner}));
  const auto below = test::must(make_user_namespace_below(above.get(), kSame, 3));
  // Processes of the owner outside the namespace must not count.
  std::vector<ChildProcess> others;
  for (int i = 0; i < 5; ++i) {
    others.push_back(test::must(fork_child(0, [] { return ::setresuid(kOwner, kOwner, kOwner) + ::pause(); })));
  }
  test::expect_success(run_as_root_in(above.get(), [&]() -> Result<void> {
    TRY_VOID(become_root_in(below.get()));
    std::vector<ChildProcess> children;
    while (true) {
      // Each has a different user id inside.
      const auto id = static_cast<uid_t>(100 + children.size());
      auto child = fork_child(0, [id] { return ::setresuid(id, id, id) + ::pause(); });
      if (!child) break;
      children.push_back(std::move(*child));
      if (children.size() > 10) break;
    }
    return verify(children.size() == 2, fmt::format("{} more processes than the first", children.size()));
  }));
}

TEST_F(UserNamespaceTest, TheReasonWhyANestedNamespaceFailsIsReported) {
  const auto above = test::must(make_user_namespace(kOfOwner, MapWriter::direct, {UINT64_MAX, kOwner}));
  test::expect_success(run_as_root_in(above.get(), []() -> Result<void> {
    const auto limit = TRY(open_file(AT_FDCWD, "/proc/sys/user/max_user_namespaces", O_WRONLY));
    return write_all(limit.get(), "0", "limit");
  }));
  EXPECT_TRUE(test::fails_with(make_user_namespace_below(above.get(), kSame, 4096), ENOSPC));
}

TEST_F(UserNamespaceTest, TheErrorNamesTheSysctlThatSwitchesNamespacesOff) {
  const auto fd = test::must(make_user_namespace(kPrivate, MapWriter::direct));
  const auto failed = run_as_root_in(fd.get(), []() -> Result<void> {
    // Every namespace has its own limit; this one applies to the namespace just entered.
    auto limit = TRY(open_file(AT_FDCWD, "/proc/sys/user/max_user_namespaces", O_WRONLY));
    TRY_VOID(write_all(limit.get(), "0", "limit"));
    TRY(make_user_namespace({{{0, 0, 1}}, {{0, 0, 1}}}, MapWriter::direct));
    return {};
  });
  EXPECT_TRUE(test::fails_with(failed, ENOSPC));
  EXPECT_NE(test::message_of(failed).find("sysctl user.max_user_namespaces is 0"), std::string::npos)
      << test::message_of(failed);
}

}  // namespace
}  // namespace isolate
