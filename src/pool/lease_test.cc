#include "pool/lease.h"

#include <gtest/gtest.h>
#include <signal.h>
#include <unistd.h>

#include "base/testing.h"
#include "linux/file.h"
#include "linux/process.h"
#include "store/overlay_store.h"

namespace isolate {
namespace {

using Names = std::vector<std::string>;
using test::must;
using test::verify;
using test::write_text;

class LeaseTest : public ::testing::Test {
 protected:
  LeaseTest() : owner_(Caller::current()), store_(must(open_store())), pool_(&store_, "t") {
    test::add_template(store_, "t");
  }
  void SetUp() override { REQUIRE_ROOT(); }

  Result<OverlayStore> open_store() { return OverlayStore::open(path(), &owner_); }
  std::string path() const { return directory_ / "store"; }
  std::string state(const std::string& name) const { return path() + "/pools/t/" + name; }
  std::string clone(const std::string& id) const { return path() + "/clones/" + id; }
  static Names names_in(const std::string& path) {
    auto names = list_directory(AT_FDCWD, path);
    return names ? *names : Names{};
  }
  // Returns all that is left of leases, in whatever state.
  Names leftovers() const {
    Names all;
    for (const auto& place : {state("making"), state("leased"), state("trash"), state("kept"), path() + "/clones"}) {
      for (const auto& name : names_in(place)) all.push_back(place + "/" + name);
    }
    return all;
  }
  Lease take(LeaseInfo info = {}) { return must(Lease::take(&pool_, std::move(info))); }
  // Takes a lease in a child that is then killed.
  std::string take_and_crash() {
    auto holder = must(fork_child(0, [&] {
      const auto lease = Lease::take(&pool_, {});
      if (lease) ::kill(::getpid(), SIGKILL);
      return 1;
    }));
    EXPECT_EQ(must(holder.wait()).describe(), "signal 9");
    return names_in(state("leased")).at(0);
  }

  test::TempDirectory directory_;
  OwnerNamespace owner_;
  OverlayStore store_;
  Pool pool_;
};

TEST_F(LeaseTest, AnEndedLeaseCountsAsTrashUntilItsCloneIsGone) {
  auto lease = must(Lease::take(&pool_, {}));
  must(lease.end());
  EXPECT_EQ(must(pool_.status()).leased, 0U);
  EXPECT_EQ(must(pool_.status()).trash, 1U);
  EXPECT_TRUE(must(pool_.reap()).empty()) << "the holder of the lock destroys it";
  EXPECT_EQ(must(lease.drop()), Lease::Dropped::gone);
  EXPECT_EQ(must(pool_.status()).trash, 0U);
}

TEST_F(LeaseTest, WaitsWhileOtherProcessesDestroyClones) {
  using Clock = std::chrono::steady_clock;
  std::optional<Lease> lease(must(Lease::take(&pool_, {})));
  must(lease->end());
  const auto begin = Clock::now();
  EXPECT_EQ(must(pool_.wait_for_removals(std::chrono::milliseconds(50))), Names{lease->id()});
  EXPECT_GE(Clock::now() - begin, std::chrono::milliseconds(50));
  // A child holds the lock now, for a while.
  auto child = must(fork_child(0, [] { return ::usleep(200'000); }));
  lease.reset();
  EXPECT_EQ(must(pool_.wait_for_removals(std::chrono::seconds(20))), Names{});
  EXPECT_GE(Clock::now() - begin, std::chrono::milliseconds(200));
  EXPECT_LT(Clock::now() - begin, std::chrono::seconds(10));
}

TEST_F(LeaseTest, ATakenCloneHasTheNewestGenerationAndIsListed) {
  LeaseInfo info;
  info.engine = "bwrap";
  info.user = "1000";
  info.pid = 4711;
  info.since = 1700000000;
  const auto lease = take(info);
  EXPECT_TRUE(lease.id().starts_with("t-")) << lease.id();
  EXPECT_EQ(lease.generation().number, 1U);
  EXPECT_EQ(lease.root().directory, clone(lease.id()));
  EXPECT_TRUE(test::exists(clone(lease.id()) + "/upper"));
  const auto held = must(pool_.leases());
  ASSERT_EQ(held.size(), 1U);
  EXPECT_EQ(held[0].clone_id, lease.id());
  EXPECT_EQ(held[0].template_name, "t");
  EXPECT_EQ(held[0].engine, "bwrap");
  EXPECT_EQ(held[0].user, "1000");
  EXPECT_EQ(held[0].pid, 4711);
  EXPECT_EQ(held[0].since, 1700000000);
  EXPECT_EQ(held[0].generation, 1U);
}

TEST_F(LeaseTest, TwoLeasesHaveDifferentClones) {
  const auto first = take();
  const auto second = take();
  EXPECT_NE(first.id(), second.id());
  EXPECT_EQ(must(pool_.leases()).size(), 2U);
}

TEST_F(LeaseTest, DroppingLeavesNothingBehind) {
  auto lease = take();
  write_text(clone(lease.id()) + "/upper/file", "x");
  must(lease.drop());
  EXPECT_EQ(leftovers(), Names{});
}

TEST_F(LeaseTest, OnlyItsOwnerHasAccessToTheState) {
  const auto lease = take();
  for (const char* name : {"making", "leased", "trash", "kept"}) {
    EXPECT_EQ(must(status_of(AT_FDCWD, state(name))).st_mode & 07777, 0700U) << name;
  }
}

TEST_F(LeaseTest, HeldLeasesAreNotReaped) {
  const auto lease = take();
  EXPECT_TRUE(must(pool_.reap()).empty());
  EXPECT_TRUE(test::exists(clone(lease.id())));
}

TEST_F(LeaseTest, ClonesOfACrashedHolderAreTrashed) {
  const auto id = take_and_crash();
  EXPECT_TRUE(must(pool_.leases()).empty()) << "nobody holds it any more";
  EXPECT_TRUE(test::exists(clone(id)));
  EXPECT_EQ(must(pool_.reap()), Names{id});
  EXPECT_EQ(leftovers(), Names{});
}

TEST_F(LeaseTest, AbandonedLeasesAreNoticedWithoutReaping) {
  EXPECT_FALSE(must(pool_.has_abandoned())) << "there is no state yet";
  {
    const auto lease = take();
    EXPECT_FALSE(must(pool_.has_abandoned()));
  }
  EXPECT_TRUE(must(pool_.has_abandoned()));
  must(pool_.reap());
  EXPECT_FALSE(must(pool_.has_abandoned()));
}

TEST_F(LeaseTest, ALeaseLastsUntilItsLastHolderEnds) {
  std::string id;
  ChildProcess holder;
  {
    const auto lease = take();
    id = lease.id();
    holder = must(fork_child(0, [] {
      ::pause();
      return 0;
    }));
  }
  EXPECT_TRUE(must(pool_.reap()).empty());
  EXPECT_EQ(must(pool_.leases()).size(), 1U);
  holder.kill_and_reap();
  EXPECT_EQ(must(pool_.reap()), Names{id});
}

TEST_F(LeaseTest, AKeptCloneStaysUntilItIsRemoved) {
  auto lease = take();
  const auto id = lease.id();
  write_text(clone(id) + "/upper/result", "x");
  must(lease.keep());
  EXPECT_TRUE(must(pool_.leases()).empty());
  ASSERT_EQ(must(pool_.kept()).size(), 1U);
  EXPECT_EQ(must(pool_.kept())[0].clone_id, id);
  EXPECT_TRUE(must(pool_.reap()).empty());
  EXPECT_TRUE(test::exists(clone(id) + "/upper/result"));
  { const auto ended = std::move(lease); }
  must(pool_.discard_kept(id));
  must(pool_.reap());
  EXPECT_EQ(leftovers(), Names{});
}

TEST_F(LeaseTest, AnUnfinishedCloneOfACrashedProcessIsReaped) {
  { const auto lease = take(); }
  must(pool_.reap());
  write_text(state("making/t-crashed"), "{}");
  write_text(clone("t-crashed") + "/upper/file", "x");
  EXPECT_EQ(must(pool_.reap()), Names{"t-crashed"});
  EXPECT_EQ(leftovers(), Names{});
}

TEST_F(LeaseTest, ACloneThatIsBeingMadeIsNotReaped) {
  { const auto lease = take(); }
  must(pool_.reap());
  write_text(state("making/t-slow"), "{}");
  const auto maker =
      must(FileLock::try_lock(must(open_file(AT_FDCWD, state("making/t-slow"), O_RDWR)), FileLock::Mode::exclusive));
  EXPECT_TRUE(must(pool_.reap()).empty());
  EXPECT_TRUE(test::exists(state("making/t-slow")));
}

TEST_F(LeaseTest, TwoReapersDoNotDisturbEachOther) {
  constexpr std::size_t kLeases = 30;
  for (std::size_t i = 0; i < kLeases; ++i) const auto abandoned = take();
  ASSERT_EQ(names_in(state("leased")).size(), kLeases);
  const auto reap = [&] { return pool_.reap() ? 0 : 1; };
  auto first = must(fork_child(0, reap));
  auto second = must(fork_child(0, reap));
  EXPECT_TRUE(must(first.wait()).success());
  EXPECT_TRUE(must(second.wait()).success());
  must(pool_.reap());
  EXPECT_EQ(leftovers(), Names{});
}

TEST_F(LeaseTest, ConcurrentReapingLosesNoLease) {
  auto reaper = must(fork_child(0, [&] {
    for (int i = 0; i < 200; ++i) {
      if (!pool_.reap()) return 1;
    }
    return 0;
  }));
  for (int i = 0; i < 100; ++i) {
    auto lease = take();
    ASSERT_TRUE(test::exists(clone(lease.id()) + "/upper"));
    ASSERT_TRUE(test::succeeded(lease.drop()));
  }
  EXPECT_TRUE(must(reaper.wait()).success());
  EXPECT_EQ(leftovers(), Names{});
}

TEST_F(LeaseTest, AFailureToMakeACloneLeavesNothingBehind) {
  { const auto lease = take(); }
  must(pool_.reap());
  test::in_private_mounts([&]() -> Result<void> {
    TRY_VOID(test::bind_over(path() + "/clones", path() + "/clones"));
    if (::mount(nullptr, (path() + "/clones").c_str(), nullptr, MS_REMOUNT | MS_BIND | MS_RDONLY, nullptr) != 0) {
      return fail(errno, "remount");
    }
    // Open the store again: the descriptor of the other one belongs to the old mount namespace.
    auto store = TRY(open_store());
    Pool pool(&store, "t");
    const auto lease = Lease::take(&pool, {});
    return verify(!lease && lease.error().code() == EROFS, "EROFS");
  });
  EXPECT_EQ(leftovers(), Names{});
}

TEST_F(LeaseTest, AMissingTemplateLeavesNothingBehind) {
  for (const char* name : {"none", "../../elsewhere"}) {
    Pool pool(&store_, name);
    EXPECT_FALSE(Lease::take(&pool, {})) << name;
  }
  EXPECT_EQ(names_in(path() + "/pools"), Names{});
  EXPECT_EQ(names_in(directory_.path()), Names{"store"});
}

TEST_F(LeaseTest, AnUnremovableCloneIsRetriedAndDoesNotBlockOthers) {
  for (int i = 0; i < 3; ++i) const auto abandoned = take();
  const auto ids = names_in(state("leased"));
  test::in_private_mounts([&]() -> Result<void> {
    const auto busy = clone(ids[0]) + "/upper";
    if (::mount("tmpfs", busy.c_str(), "tmpfs", 0, nullptr) != 0) return fail(errno, "mount");
    auto store = TRY(open_store());
    Pool pool(&store, "t");
    const auto reaped = pool.reap();  // may be an error about the busy clone
    return verify(names_in(path() + "/clones") == Names{ids[0]}, "the others are gone; " + test::message_of(reaped));
  });
  EXPECT_EQ(names_in(state("trash")), Names{ids[0]});
  EXPECT_EQ(must(pool_.reap()), Names{ids[0]});
  EXPECT_EQ(leftovers(), Names{});
}

TEST_F(LeaseTest, ADamagedStateFileIsShownEmpty) {
  const auto lease = take({"", "", "bwrap", "0", 1, 2, 3, 0, "", false});
  for (const char* text :
       {"", "not json", "[]", "{\"pid\": \"x\", \"engine\": 5, \"since\": 1e99}", "{\"user\": null}"}) {
    write_text(state("leased/" + lease.id()), text);
    const auto held = must(pool_.leases());
    ASSERT_EQ(held.size(), 1U) << text;
    EXPECT_EQ(held[0].clone_id, lease.id());
    EXPECT_EQ(held[0].engine + held[0].user, "") << text;
    EXPECT_EQ(held[0].pid + held[0].since, 0) << text;
  }
}

TEST_F(LeaseTest, OnlyOneEditOfATemplateRunsAtATime) {
  auto editing = must(pool_.lock_for_edit());
  EXPECT_EQ(test::message_of(pool_.lock_for_edit()),
            "template 't' is being edited by another process; try again when that has finished");
  editing = FileLock();
  EXPECT_TRUE(test::succeeded(pool_.lock_for_edit()));
}

TEST_F(LeaseTest, PoolsAreListedUntilTheirStateIsRemoved) {
  EXPECT_TRUE(must(pool_names(store_)).empty());
  auto lease = take();
  EXPECT_EQ(must(pool_names(store_)), Names{"t"});
  must(lease.drop());
  must(pool_.remove_state());
  EXPECT_TRUE(must(pool_names(store_)).empty());
}

}  // namespace
}  // namespace isolate
