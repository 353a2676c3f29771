#include "limits/cgroup.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/random.h"
#include "base/testing.h"
#include "linux/file.h"
#include "linux/process_testing.h"

namespace isolate {
namespace {

constexpr uid_t kOwner = 1'900'000'600;

std::string some_name() { return "test-" + random_name(); }

Result<ControlGroup> make_group(const std::string& name) { return ControlGroup::make(TRY(own_control_group()), name); }

TEST(ControlGroupTest, IsGivenToAUserAndRemovedWithTheGroupsTheyMadeInIt) {
  REQUIRE_ROOT();
  std::string path;
  {
    const auto group = test::must(make_group(some_name()));
    ASSERT_TRUE(group.give_to(kOwner, kOwner));
    path = group.path();
    EXPECT_EQ(test::must(status_of(AT_FDCWD, path)).st_uid, kOwner);
    EXPECT_EQ(test::must(status_of(AT_FDCWD, path + "/cgroup.procs")).st_uid, kOwner);
    ASSERT_TRUE(make_directory(AT_FDCWD, path + "/below", 0755));
    ASSERT_TRUE(make_directory(AT_FDCWD, path + "/below/that", 0755));
  }
  EXPECT_FALSE(test::exists(path));
}

TEST(ControlGroupTest, DeeplyNestedGroupsAreRemoved) {
  REQUIRE_ROOT();
  constexpr int kDeep = 1200;  // with these names, deeper than a path can be
  const std::string name(100, 'g');
  std::string path;
  {
    const auto group = test::must(make_group(some_name()));
    path = group.path();
    auto child = test::must(fork_child(0, [&] {
      if (::chdir(path.c_str()) != 0) return 1;
      for (int i = 0; i < kDeep; ++i) {
        if (::mkdir("a", 0755) != 0 || ::mkdir(name.c_str(), 0755) != 0 || ::chdir(name.c_str()) != 0) return 1;
      }
      return 0;
    }));
    ASSERT_TRUE(test::must(child.wait()).success());
  }
  EXPECT_FALSE(test::exists(path));
}

TEST(ControlGroupTest, EnterMovesTheProcessIntoTheGroup) {
  REQUIRE_ROOT();
  const auto group = test::must(make_group(some_name()));
  auto child = test::must(fork_child(0, [&group] {
    const auto own = group.enter() ? own_control_group() : Result<std::string>(fail("not entered"));
    return own && *own == group.path() ? 0 : 1;
  }));
  EXPECT_TRUE(test::must(child.wait()).success());
}

TEST(ControlGroupTest, TheGroupOfAKilledProcessIsRemovedAsALeftover) {
  REQUIRE_ROOT();
  const auto left = some_name();
  const auto lasting = test::must(make_group(some_name()));
  auto child = test::must(fork_child(0, [&left] {
    const auto group = make_group(left);
    ::kill(::getpid(), SIGKILL);
    return 0;
  }));
  test::must(child.wait());
  const auto path = test::must(own_control_group()) + "/isolate-" + left;
  EXPECT_TRUE(test::exists(path));
  ControlGroup::remove_leftovers(test::must(own_control_group()));
  EXPECT_FALSE(test::exists(path));
  EXPECT_TRUE(test::exists(lasting.path())) << "it is still locked";
}

TEST(ControlGroupTest, TheErrorNamesAMissingFile) {
  REQUIRE_ROOT();
  const auto group = test::must(make_group(some_name()));
  const auto outcome = group.set("no.such_file", "1");
  ASSERT_FALSE(outcome);
  EXPECT_EQ(outcome.error().code(), ENOENT);
  EXPECT_NE(outcome.error().message().find("no.such_file"), std::string::npos);
}

TEST(ListedGroupTest, FindsTheHierarchyOfAController) {
  const std::string listing = "12:cpuset:/\n4:cpu,cpuacct:/a/b\n1:name=systemd:/with:a:colon\n0::/two\n";
  EXPECT_EQ(listed_group(listing, "cpu"), "/a/b");
  EXPECT_EQ(listed_group(listing, "cpuacct"), "/a/b");
  EXPECT_EQ(listed_group(listing, "cpuset"), "/");
  EXPECT_EQ(listed_group(listing, "name=systemd"), "/with:a:colon");
  EXPECT_EQ(listed_group(listing, ""), "/two");
  EXPECT_EQ(listed_group(listing, "cpus"), std::nullopt);
  EXPECT_EQ(listed_group("4:cpu:/a\n", ""), std::nullopt) << "there is no line of version 2";
  EXPECT_EQ(listed_group("\n::\n0:x\n", "x"), std::nullopt);
}

TEST(ControlGroupTest, AnUnknownControllerIsAnError) { EXPECT_FALSE(own_control_group_of("nothing")); }

TEST(ControlGroupTest, AnotherUserCanNotOpenAndSoNotLockIt) {
  REQUIRE_ROOT();
  const auto group = test::must(make_group(some_name()));
  auto child = test::must(fork_child(0, [&group] {
    if (::setresuid(kOwner, kOwner, kOwner) != 0) return 1;
    return ::open(group.path().c_str(), O_RDONLY | O_DIRECTORY) < 0 && errno == EACCES ? 0 : 2;
  }));
  EXPECT_TRUE(test::must(child.wait()).success());
}

TEST(ControlGroupTest, ALockOnTheParentDoesNotDelayMakingAGroup) {
  REQUIRE_ROOT();
  const auto parent = test::must(own_control_group());
  const auto lock = test::must(
      FileLock::try_lock(test::must(open_file(AT_FDCWD, parent, O_RDONLY | O_DIRECTORY)), FileLock::Mode::exclusive));
  EXPECT_TRUE(make_group(some_name()));
}

}  // namespace
}  // namespace isolate
