#include "limits/limit_group.h"

#include <gtest/gtest.h>
#include <poll.h>

#include "base/random.h"
#include "base/testing.h"
#include "limits/cgroup_testing.h"
#include "linux/process_testing.h"

namespace isolate {
namespace {

using test::must;
using test::write_text;
using Names = std::vector<std::string>;

// A directory that stands for a group of a kernel with all limits.
class PretendedGroup {
 public:
  PretendedGroup() {
    for (const char* file : {"memory.max", "memory.swap.max", "cpu.max", "pids.max", "io.weight"}) write(file, "");
    write("cgroup.controllers", "cpuset cpu io memory pids\n");
    write("cgroup.subtree_control", "");
  }
  void write(const std::string& file, const std::string& text) const { write_text(path() + "/" + file, text); }
  std::string read(const std::string& file) const { return must(read_file(path() + "/" + file)); }
  const std::string& path() const { return directory_.path(); }

 private:
  test::TempDirectory directory_;
};

TEST(LimitsOfAGroupTest, AreWrittenInTheFormatOfTheKernel) {
  const PretendedGroup group;
  must(write_limits(group.path(), {67108864, 150000, 40, 200}));
  EXPECT_EQ(group.read("memory.max"), "67108864");
  EXPECT_EQ(group.read("memory.swap.max"), "0");
  EXPECT_EQ(group.read("cpu.max"), "150000 100000");
  EXPECT_EQ(group.read("pids.max"), "40");
  EXPECT_EQ(group.read("io.weight"), "200");
}

TEST(LimitsOfAGroupTest, FilesOfOtherLimitsAreNotWritten) {
  const PretendedGroup group;
  must(write_limits(group.path(), {std::nullopt, std::nullopt, 40, std::nullopt}));
  for (const char* file : {"memory.max", "memory.swap.max", "cpu.max", "io.weight"}) EXPECT_EQ(group.read(file), "");
}

TEST(LimitsOfAGroupTest, ALimitThatTheKernelLacksIsAnError) {
  const test::TempDirectory empty;
  for (const GroupLimits& limits : {GroupLimits{1, {}, {}, {}}, GroupLimits{{}, 1000, {}, {}},
                                    GroupLimits{{}, {}, 1, {}}, GroupLimits{{}, {}, {}, 1}}) {
    EXPECT_FALSE(write_limits(empty.path(), limits));
  }
  EXPECT_TRUE(must(list_directory(AT_FDCWD, empty.path())).empty()) << "no file may be created";
}

TEST(ControllersTest, AreThoseThatTheLimitsNeed) {
  EXPECT_EQ(controllers_of({1, 1000, 1, 1}), (Names{"memory", "cpu", "pids", "io"}));
  EXPECT_EQ(controllers_of({{}, {}, 1, {}}), Names{"pids"});
  EXPECT_TRUE(controllers_of({}).empty());
  EXPECT_FALSE(GroupLimits{}.any());
}

TEST(ControllersTest, OnlyMissingControllersAreEnabled) {
  const PretendedGroup group;
  group.write("cgroup.subtree_control", "cpu pids\n");
  must(enable_controllers(group.path(), {"memory", "cpu", "pids", "io"}));
  EXPECT_EQ(group.read("cgroup.subtree_control"), "+memory +io");
  group.write("cgroup.subtree_control", "cpu pids\n");
  must(enable_controllers(group.path(), {"cpu"}));
  EXPECT_EQ(group.read("cgroup.subtree_control"), "cpu pids\n");
  must(disable_controllers(group.path()));
  EXPECT_EQ(group.read("cgroup.subtree_control"), "-cpu -pids");
}

TEST(ControllersTest, TheErrorNamesAnUnavailableController) {
  const PretendedGroup group;
  group.write("cgroup.controllers", "cpuset cpu memory_x pids\n");
  EXPECT_EQ(must(available_controllers(group.path(), limiting_controllers())), (Names{"cpu", "pids"}));
  EXPECT_NE(test::message_of(enable_controllers(group.path(), {"cpu", "memory"})).find("'memory'"), std::string::npos);
  EXPECT_EQ(group.read("cgroup.subtree_control"), "");
}

TEST(MemoryEventsTest, HoldTheNumberOfOomKills) {
  const PretendedGroup group;
  EXPECT_EQ(count_oom_kills(group.path()), 0U) << "without the file";
  group.write("memory.events", "low 0\nhigh 0\nmax 5\noom 3\noom_kill 2\noom_group_kill 0\n");
  EXPECT_EQ(count_oom_kills(group.path()), 2U);
}

TEST(PopulatedTest, AnUnreadableFileIsAnErrorAndNotAnEmptyGroup) {
  const PretendedGroup group;
  EXPECT_FALSE(is_populated(group.path())) << "without the file";
  for (const char* events : {"", "frozen 0\n", "populated\n", "populated x\n"}) {
    group.write("cgroup.events", events);
    EXPECT_FALSE(is_populated(group.path())) << events;
  }
  group.write("cgroup.events", "populated 0\nfrozen 0\n");
  EXPECT_FALSE(must(is_populated(group.path())));
  group.write("cgroup.events", "populated 1\nfrozen 0\n");
  EXPECT_TRUE(must(is_populated(group.path())));
}

// Groups without limits can be made wherever version 2 is mounted, even without controllers.
class LimitGroupTest : public ::testing::Test {
 protected:
  void SetUp() override { REQUIRE_ROOT(); }
  const std::string name_ = "isolate-test-" + random_name();
  const std::string parent_ = test::group_of_version_2();
};

TEST_F(LimitGroupTest, IsRemovedAndItsProcessesKilled) {
  test::Pipe ready;
  auto group = must(LimitGroup::make(parent_, name_, {}));
  EXPECT_EQ(group.path(), parent_ + "/" + name_);
  EXPECT_FALSE(must(is_populated(group.path())));
  auto child = must(fork_child(0, [&] {
    if (!move_to_control_group(guest_part(group.path()), "0")) return 1;
    return write_all(ready.write.get(), "r", "pipe") ? test::pause_for_good() : 1;
  }));
  ASSERT_TRUE(test::is_readable(ready.read.get()));
  EXPECT_TRUE(must(is_populated(group.path())));
  group = LimitGroup();
  EXPECT_FALSE(test::exists(parent_ + "/" + name_));
  EXPECT_EQ(must(child.wait()).describe(), "signal 9");
}

TEST_F(LimitGroupTest, OnlyItsOwnerCanOpenIt) {
  const auto group = must(LimitGroup::make(parent_, name_, {}));
  EXPECT_EQ(must(status_of(AT_FDCWD, group.path())).st_mode & 0777U, 0711U);
}

TEST_F(LimitGroupTest, IsNotMadeIfItsControllerIsUnavailable) {
  const auto available = must(available_controllers(parent_, limiting_controllers()));
  if (available.empty()) {
    EXPECT_FALSE(LimitGroup::make(parent_, name_, {std::nullopt, std::nullopt, 40, std::nullopt}));
  } else {
    EXPECT_FALSE(enable_controllers(parent_, {"no-such-controller"}));
  }
  EXPECT_FALSE(test::exists(parent_ + "/" + name_));
}

TEST_F(LimitGroupTest, ADisownedGroupIsNotRemoved) {
  {
    auto group = must(LimitGroup::make(parent_, name_, {}));
    group.disown();
  }
  ASSERT_TRUE(test::exists(parent_ + "/" + name_));
  kill_and_remove_groups({parent_ + "/" + name_ + "-none", parent_ + "/" + name_}, std::chrono::milliseconds(100));
  EXPECT_FALSE(test::exists(parent_ + "/" + name_));
}

// Returns how many groups an ordinary user could make below `path`, up to 2 * kMostGroupsOfGuest.
unsigned groups_made_below(const std::string& path) {
  constexpr uid_t kUser = 65534;
  test::Pipe made;
  auto child = must(fork_child(0, [&] {
    if (::setresuid(kUser, kUser, kUser) != 0) return 1;
    unsigned count = 0;
    while (count < 2 * kMostGroupsOfGuest && ::mkdir((path + "/" + std::to_string(count)).c_str(), 0755) == 0) ++count;
    return write_all(made.write.get(), {reinterpret_cast<const char*>(&count), sizeof count}, "pipe") ? 0 : 1;
  }));
  EXPECT_TRUE(must(child.wait()).success());
  unsigned count = 0;
  EXPECT_EQ(::read(made.read.get(), &count, sizeof count), ssize_t{sizeof count});
  return count;
}

TEST_F(LimitGroupTest, AUserWhoOwnsTheGuestPartMayMakeALimitedNumberOfGroups) {
  constexpr uid_t kUser = 65534;
  const auto group = must(LimitGroup::make(parent_, name_, {}));
  EXPECT_EQ(groups_made_below(guest_part(group.path())), 0U);
  must(give_control_group(guest_part(group.path()), kUser, kUser));
  EXPECT_EQ(groups_made_below(guest_part(group.path())), kMostGroupsOfGuest);
}

}  // namespace
}  // namespace isolate
