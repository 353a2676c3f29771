#include "linux/caller.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include "base/testing.h"
#include "linux/file.h"
#include "linux/tree.h"

namespace isolate {
namespace {

using test::PretendedUser;
using test::verify;

class CallerTest : public ::testing::Test {
 protected:
  void SetUp() override { REQUIRE_ROOT(); }
  // Checks the id maps of a user with these subuid and subgid files.
  void expect_ids(const PretendedUser& user, const std::string& uids, const std::string& gids) const {
    test::as_pretended_user(user, [&](const std::string&) -> Result<void> {
      const auto ids = owned_ids(Caller::current());
      return verify(describe(ids.maps.uid) == uids && describe(ids.maps.gid) == gids,
                    uids + " and " + gids + ", not: " + describe(ids.maps.uid) + " and " + describe(ids.maps.gid));
    });
  }
};

TEST_F(CallerTest, IsTheUserOfThisProcess) {
  test::as_pretended_user({}, [](const std::string&) -> Result<void> {
    const auto caller = Caller::current();
    TRY_VOID(verify(caller.uid == PretendedUser::kId && caller.gid == PretendedUser::kId, "the ids"));
    return verify(!caller.is_root() && caller.name() == "tester", "name of /etc/passwd");
  });
  EXPECT_TRUE(Caller::current().is_root());
}

TEST_F(CallerTest, AUserWithoutANameIsCalledByTheirId) { EXPECT_EQ((Caller{3987654321, 1}).name(), "3987654321"); }

TEST_F(CallerTest, HomeComesFromTheEnvironmentOrElseFromTheUserDatabase) {
  const test::ScopedVariable home("HOME", "/home/a");
  EXPECT_EQ(Caller::current().home(), "/home/a");
  const test::ScopedVariable relative("HOME", "home/a");
  EXPECT_EQ(Caller::current().home(), "/root");
  const test::ScopedVariable none("HOME", nullptr);
  EXPECT_EQ(Caller::current().home(), "/root");
  EXPECT_EQ((Caller{3987654321, 1}).home(), "");
}

TEST_F(CallerTest, IdZeroIsTheCallerAndTheOtherIdsAreTheirRange) {
  expect_ids({}, "0 54321 1, 1 300000 65536", "0 54321 1, 1 400000 65536");
}

TEST_F(CallerTest, RangesAreJoinedUpToTheIdsThatAGuestNeeds) {
  expect_ids({"tester:300000:1000\n54321:700000:100000\n", "tester:400000:100000\n"},
             "0 54321 1, 1 300000 1000, 1001 700000 64536", "0 54321 1, 1 400000 65536");
}

TEST_F(CallerTest, WithoutRangesForBothUsersAndGroupsOnlyTheOwnIdIsMapped) {
  expect_ids({"", ""}, "0 54321 1", "0 54321 1");
  expect_ids({"tester:300000:65536\n", "other:400000:65536\n"}, "0 54321 1", "0 54321 1");
}

TEST_F(CallerTest, AdviceNamesTheUserAndTheCommand) {
  test::as_pretended_user({"", ""}, [](const std::string&) -> Result<void> {
    const auto advice = advice_on_subids(Caller::current(), true);
    TRY_VOID(verify(advice.find("user tester has no range") != std::string::npos, advice));
    TRY_VOID(verify(advice.find("--userns") != std::string::npos, advice));
    TRY_VOID(verify(advice_on_subids(Caller::current(), false).find("--userns") == std::string::npos, "advice"));
    return verify(advice.find("usermod --add-subuids 100000-165535 ") != std::string::npos, advice);
  });
}

TEST_F(CallerTest, AdviceNamesARangeThatNobodyUses) {
  test::as_pretended_user(
      {"a:100000:65536\nb:200000:10\n", "c:231072:65536\n"}, [](const std::string&) -> Result<void> {
        // 165536 to 231071 overlaps b's range, the next 65536 ids overlap c's.
        const auto advice = advice_on_subids(Caller::current(), true);
        return verify(advice.find("--add-subuids 296608-362143 --add-subgids 296608-362143 ") != std::string::npos,
                      advice);
      });
}

TEST_F(CallerTest, RootNeedsNoNamespaceForItsOwnFiles) {
  OwnerNamespace owner(Caller::current());
  EXPECT_EQ(test::must(owner.descriptor()), -1);
  pid_t pid = -1;
  test::expect_success(owner.run([&]() -> Result<void> {
    pid = ::getpid();
    return {};
  }));
  EXPECT_EQ(pid, ::getpid());
}

TEST_F(CallerTest, AUserIsRootOverTheFilesOfTheirRange) {
  test::as_pretended_user({}, [](const std::string& scratch) -> Result<void> {
    OwnerNamespace owner(Caller::current());
    const std::string file = scratch + "/tree/file";
    TRY_VOID(make_directories(scratch + "/tree", 0700));
    TRY_VOID(owner.run([&]() -> Result<void> {
      TRY(open_file(AT_FDCWD, file, O_CREAT | O_WRONLY, 0600));
      if (::chown(file.c_str(), 5, 6) != 0) return fail(errno, "chown");
      return {};
    }));
    const auto status = TRY(status_of(AT_FDCWD, file));
    TRY_VOID(verify(status.st_uid == 300004 && status.st_gid == 400005, "id 5 inside is the fifth id of their range"));
    TRY_VOID(owner.run([&] { return remove_tree(AT_FDCWD, scratch + "/tree"); }));
    return verify(!test::exists(scratch + "/tree"), "files owned by their range can be removed");
  });
}

}  // namespace
}  // namespace isolate
