#include "isolated/pool_keeper.h"

#include <poll.h>
#include <unistd.h>

#include "base/log.h"
#include "base/testing.h"
#include "linux/file.h"
#include "linux/tree.h"
#include "pool/lease.h"

namespace isolate {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using test::must;
using Clock = PoolKeeper::Clock;

class PoolKeeperTest : public ::testing::Test {
 protected:
  PoolKeeperTest()
      : owner_(Caller::current()),
        store_(must(open_store(path(), &owner_, MissingStore::create))),
        pool_(store_.get(), "t"),
        keeper_(must(PoolKeeper::make(path()))) {
    log::set_up("test", true);
    test::add_template(*store_, "t");
  }
  void SetUp() override { REQUIRE_ROOT(); }
  std::string path() const { return directory_ / "store"; }
  PoolStatus status() { return must(pool_.status()); }
  std::vector<std::string> clones() const { return must(list_directory(AT_FDCWD, path() + "/clones")); }

  // Runs the keeper until `holds` is true. Gives up before the next regular scan.
  bool keep_until(const std::function<bool()>& holds) {
    const auto deadline = Clock::now() + seconds(15);
    while (Clock::now() < deadline) {
      keeper_.work();
      if (holds() && keeper_.is_idle()) return true;
      std::vector<pollfd> sources = {{keeper_.events(), POLLIN, 0}};
      for (const int child : keeper_.children()) sources.push_back({child, POLLIN, 0});
      ::poll(sources.data(), sources.size(), 20);
      keeper_.read_events();
      keeper_.collect();
    }
    return false;
  }
  bool keep_until_fresh(std::size_t number) {
    return keep_until([&] { return status().fresh == number && clones().size() == number; });
  }

  test::TempDirectory directory_;
  OwnerNamespace owner_;
  std::unique_ptr<Store> store_;
  Pool pool_;
  PoolKeeper keeper_;
};

TEST_F(PoolKeeperTest, APoolIsBroughtToItsSize) {
  must(pool_.refresh({2U, false, false}));
  EXPECT_TRUE(keep_until_fresh(2));
}

TEST_F(PoolKeeperTest, ALeasedCloneIsReplacedAtOnceAndDestroyedAfterUse) {
  must(pool_.refresh({2U, false, true}));
  ASSERT_TRUE(keep_until_fresh(2));
  std::string used;
  {
    const auto lease = must(Lease::take(&pool_, {}));
    used = lease.id();
    EXPECT_TRUE(keep_until([&] { return status().fresh == 2 && status().leased == 1; }));
  }
  EXPECT_TRUE(keep_until_fresh(2));
  EXPECT_FALSE(test::exists(path() + "/clones/" + used));
}

TEST_F(PoolKeeperTest, CheckingALeaseDoesNotHideItsEndFromTheKeeper) {
  must(pool_.refresh({1U, false, true}));
  ASSERT_TRUE(keep_until_fresh(1));
  std::optional<Lease> lease(must(Lease::take(&pool_, {})));
  ASSERT_TRUE(keep_until([&] { return status().fresh == 1; }));
  // This is the moment at which another process asks.
  auto file = must(pool_.open_lease_file(lease->id()));
  lease.reset();
  std::optional<FileLock> asking(must(FileLock::try_lock(std::move(file), FileLock::Mode::shared)));
  const auto later = Clock::now() + milliseconds(300);
  ASSERT_TRUE(keep_until([&] { return Clock::now() > later; }));
  asking.reset();
  EXPECT_TRUE(keep_until_fresh(1));
}

TEST_F(PoolKeeperTest, LookingAtLeasesDoesNotWakeTheKeeper) {
  must(pool_.refresh({1U, false, true}));
  ASSERT_TRUE(keep_until_fresh(1));
  const auto lease = must(Lease::take(&pool_, {}));
  ASSERT_TRUE(keep_until([&] { return pool_.fresh()->size() == 1 && keeper_.next() > Clock::now() + seconds(5); }));
  for (int i = 0; i < 3; ++i) EXPECT_EQ(must(pool_.leases()).size(), 1U);
  EXPECT_EQ(status().leased, 1U);
  keeper_.read_events();
  EXPECT_GT(keeper_.next(), Clock::now() + seconds(5));
}

TEST_F(PoolKeeperTest, APoolThatGetsASizeLaterIsFound) {
  ASSERT_TRUE(keep_until([] { return true; }));
  must(pool_.refresh({1U, false, false}));
  EXPECT_TRUE(keep_until_fresh(1));
  must(pool_.set_size(3));
  EXPECT_TRUE(keep_until_fresh(3));
  must(pool_.set_size(0));
  EXPECT_TRUE(keep_until_fresh(0));
}

TEST_F(PoolKeeperTest, IsIdleWhenThereIsNothingToDo) {
  must(pool_.refresh({1U, false, true}));
  ASSERT_TRUE(keep_until_fresh(1));
  // The keeper's own work must not wake it again and again.
  EXPECT_TRUE(keep_until([&] { return keeper_.next() > Clock::now() + seconds(5); }));
}

TEST_F(PoolKeeperTest, BusyPoolsDoNotKeepOthersWaiting) {
  test::add_template(*store_, "a");
  test::add_template(*store_, "b");
  Pool busy[] = {Pool(store_.get(), "a"), Pool(store_.get(), "b")};
  for (auto& pool : busy) must(pool.refresh({1U, false, true}));
  must(pool_.refresh({1U, false, true}));
  ASSERT_TRUE(keep_until([&] { return keeper_.next() > Clock::now() + seconds(5); }));
  const auto use = [](Pool* pool) { auto lease = must(Lease::take(pool, {})); };
  use(&pool_);
  ASSERT_EQ(status().fresh, 0U);
  for (int round = 0; round < 4; ++round) {
    for (auto& pool : busy) use(&pool);
    keeper_.read_events();
    ::usleep(30'000);  // until the refreshes are due
    keeper_.work();
    while (!keeper_.is_idle()) keeper_.collect();
  }
  EXPECT_EQ(status().fresh, 1U);
}

TEST_F(PoolKeeperTest, AFailedRefreshIsRetriedWithGrowingPauses) {
  must(pool_.refresh({1U, false, false}));
  // A file in place of the directory makes cloning fail.
  must(remove_tree(AT_FDCWD, path() + "/clones"));
  test::write_text(path() + "/clones", "");
  ASSERT_TRUE(keep_until([&] { return keeper_.next() > Clock::now() + milliseconds(100); }));
  EXPECT_LT(keeper_.next(), Clock::now() + seconds(2));
  ASSERT_EQ(::unlink((path() + "/clones").c_str()), 0);
  EXPECT_TRUE(keep_until_fresh(1));
}

}  // namespace
}  // namespace isolate
