#include "limits/lease_group.h"

#include <gtest/gtest.h>

#include "base/random.h"
#include "limits/cgroup_testing.h"
#include "limits/limit_group.h"
#include "linux/process_testing.h"

namespace isolate {
namespace {

using test::must;

class LeaseGroupTest : public ::testing::Test {
 protected:
  void SetUp() override {
    REQUIRE_ROOT();
    parent_ = test::group_of_version_2() + "/isolate-test-" + random_name();
    must(make_directory(AT_FDCWD, parent_, 0755));
  }
  void TearDown() override {
    if (!parent_.empty()) kill_and_remove_groups({parent_}, std::chrono::seconds(1));
  }
  LimitGroup make(const std::string& lease) const {
    return must(LimitGroup::make(parent_, lease_group_name(lease), {}));
  }
  // Leaves a group behind, as a killed run does.
  void make_and_lose(const std::string& lease) const {
    auto group = make(lease);
    group.disown();
  }
  bool is_there(const std::string& lease) const { return test::exists(lease_group(parent_, lease)); }
  std::string state_file() const { return directory_ / "state"; }
  FileLock hold_lease() const {
    return must(FileLock::try_lock(must(open_file(AT_FDCWD, state_file(), O_RDONLY)), FileLock::Mode::exclusive));
  }

  test::TempDirectory directory_;
  std::string parent_;
};

TEST_F(LeaseGroupTest, OnlyGroupsThatNoRunHoldsAreRemoved) {
  make_and_lose("lost");
  const auto held = make("held");
  must(make_directory(AT_FDCWD, parent_ + "/keeper", 0755));
  remove_ended_groups(parent_, Ended::runs);
  EXPECT_FALSE(is_there("lost"));
  EXPECT_TRUE(is_there("held"));
  EXPECT_TRUE(test::exists(parent_ + "/keeper"));
}

TEST_F(LeaseGroupTest, ProcessesInARemovedGroupAreKilled) {
  make_and_lose("lost");
  test::Pipe ready;
  auto child = must(fork_child(0, [&] {
    if (!move_to_control_group(guest_part(lease_group(parent_, "lost")), "0")) return 1;
    return write_all(ready.write.get(), "r", "pipe") ? test::pause_for_good() : 1;
  }));
  ASSERT_TRUE(test::is_readable(ready.read.get()));
  remove_ended_groups(parent_, Ended::runs);
  EXPECT_EQ(must(child.wait()).describe(), "signal 9");
  EXPECT_FALSE(is_there("lost"));
}

TEST_F(LeaseGroupTest, TheGroupOfALeaseIsRemovedOnceTheLeaseIsUnlocked) {
  test::write_text(state_file(), "{}\n");
  make_and_lose("l");
  must(set_lease_of_group(lease_group(parent_, "l"), {1000, state_file()}));
  {
    const auto lock = hold_lease();
    remove_ended_groups(parent_, Ended::runs_and_leases);
    EXPECT_TRUE(is_there("l"));
  }
  remove_ended_groups(parent_, Ended::runs);
  EXPECT_TRUE(is_there("l")) << "only Ended::runs_and_leases removes groups of the daemon";
  remove_ended_groups(parent_, Ended::runs_and_leases);
  EXPECT_FALSE(is_there("l"));
}

TEST_F(LeaseGroupTest, RemembersItsLease) {
  make_and_lose("l");
  EXPECT_FALSE(lease_of_group(lease_group(parent_, "l")));
  must(set_lease_of_group(lease_group(parent_, "l"), {4294967294U, "/a b/c"}));
  const auto holder = must(lease_of_group(lease_group(parent_, "l")));
  EXPECT_EQ(holder.uid, 4294967294U);
  EXPECT_EQ(holder.state_file, "/a b/c");
  EXPECT_FALSE(is_lease_held(holder)) << "the state file does not exist";
}

}  // namespace
}  // namespace isolate
