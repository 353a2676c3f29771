#include <gtest/gtest.h>
#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <set>
#include <thread>

#include "base/testing.h"
#include "linux/file.h"
#include "linux/process.h"
#include "pool/lease.h"
#include "store/overlay_store.h"

namespace isolate {
namespace {

using Names = std::vector<std::string>;
using test::must;
using test::write_text;

constexpr std::chrono::milliseconds kAMoment{20};

// A store that fails on request, in ways that a real one rarely does.
class MoodyStore : public OverlayStore {
 public:
  explicit MoodyStore(OverlayStore store) : OverlayStore(std::move(store)) {}
  Result<void> make_clone(const Generation& generation, const std::string& clone_id) override {
    if (is_full) return fail(ENOSPC, "clone");
    TRY_VOID(OverlayStore::make_clone(generation, clone_id));
    return is_dying ? fail(EIO, "clone") : Result<void>();
  }
  using Store::destroy_clone;
  Result<void> destroy_clone(const std::string& template_name, const std::string& clone_id,
                             Deadline deadline) override {
    if (clone_id == busy || is_dying) return fail(EBUSY, "destroy " + clone_id);
    asked.push_back(clone_id);
    if (slow.contains(clone_id)) {
      std::this_thread::sleep_until(std::min(*deadline, *deadline_in(kAMoment)));
      return fail(ETIMEDOUT, "destroy " + clone_id);
    }
    is_full = is_full && !frees_space;
    return OverlayStore::destroy_clone(template_name, clone_id, deadline);
  }
  Result<RootSource> clone_root(const Generation& generation, const std::string& clone_id) override {
    if (clone_id == gone) return fail(ENOENT, "mount " + clone_id);
    return OverlayStore::clone_root(generation, clone_id);
  }
  bool is_full = false;
  bool is_dying = false;     // makes clones but reports an error, and then destroys none
  bool frees_space = false;  // destroying a clone makes room
  std::string busy;
  std::set<std::string> slow;      // clones whose removal exceeds any deadline
  std::vector<std::string> asked;  // the clones to be destroyed, in order
  std::string gone;
};

class RefreshTest : public ::testing::Test {
 protected:
  RefreshTest() : owner_(Caller::current()), store_(must(OverlayStore::open(path(), &owner_))), pool_(&store_, "t") {
    test::add_template(store_, "t");
  }
  void SetUp() override { REQUIRE_ROOT(); }

  std::string path() const { return directory_ / "store"; }
  std::string state(const std::string& name) const { return path() + "/pools/t/" + name; }
  Names in_state(const std::string& name) const {
    auto names = list_directory(AT_FDCWD, state(name));
    return names ? *names : Names{};
  }
  Names clones() const { return must(list_directory(AT_FDCWD, path() + "/clones")); }
  RefreshReport refresh(std::optional<unsigned> size = std::nullopt) {
    return must(pool_.refresh({size, false, true}));
  }
  void publish() { must(store_.snapshot("t")); }

  test::TempDirectory directory_;
  OwnerNamespace owner_;
  MoodyStore store_;
  Pool pool_;
};

TEST_F(RefreshTest, MakesTheRequestedNumberAndRemembersIt) {
  const auto report = refresh(3);
  EXPECT_EQ(report.made, 3U);
  EXPECT_EQ(report.fresh, 3U);
  EXPECT_EQ(report.destroyed.size(), 0U);
  EXPECT_EQ(in_state("fresh"), clones());
  must(must(Lease::take(&pool_, {})).drop());
  EXPECT_EQ(refresh().made, 1U);
  EXPECT_EQ(must(pool_.status()).size, 3U);
}

TEST_F(RefreshTest, ALeaseTakesAFreshClone) {
  refresh(2);
  const auto before = in_state("fresh");
  const auto lease = must(Lease::take(&pool_, {}));
  EXPECT_TRUE(std::count(before.begin(), before.end(), lease.id()) == 1);
  EXPECT_EQ(in_state("leased"), Names{lease.id()});
  EXPECT_EQ(in_state("fresh").size(), 1U);
  EXPECT_EQ(clones().size(), 2U) << "no clone may be made";
  EXPECT_EQ(lease.root().directory, path() + "/clones/" + lease.id());
}

TEST_F(RefreshTest, FreshClonesDestroyedFromOutsideAreReplaced) {
  refresh(3);
  const auto before = in_state("fresh");
  must(store_.destroy_clone("t", before.at(1)));
  const auto report = refresh();
  EXPECT_EQ(report.made, 1U);
  EXPECT_EQ(in_state("fresh").size(), 3U);
  EXPECT_EQ(in_state("fresh"), clones());
}

TEST_F(RefreshTest, ALeaseSkipsAFreshCloneDestroyedFromOutside) {
  refresh(2);
  store_.gone = in_state("fresh").at(0);
  const auto other = in_state("fresh").at(1);
  EXPECT_EQ(must(Lease::take(&pool_, {})).id(), other);
  refresh(0);
  EXPECT_TRUE(in_state("leased").empty());
  refresh(1);
  store_.gone = in_state("fresh").at(0);
  EXPECT_NE(must(Lease::take(&pool_, {})).id(), store_.gone) << "a new clone must be made";
}

TEST_F(RefreshTest, AnEmptyPoolMakesACloneAtOnce) {
  refresh(1);
  const auto first = must(Lease::take(&pool_, {}));
  const auto second = must(Lease::take(&pool_, {}));
  EXPECT_NE(first.id(), second.id());
  EXPECT_EQ(must(pool_.status()).leased, 2U);
}

TEST_F(RefreshTest, ClonesOfOlderGenerationsAreNotLeasedAndReplaced) {
  refresh(2);
  const auto old = in_state("fresh");
  publish();
  const auto lease = must(Lease::take(&pool_, {}));
  EXPECT_EQ(lease.generation().number, 2U);
  EXPECT_EQ(std::count(old.begin(), old.end(), lease.id()), 0);
  const auto report = refresh();
  EXPECT_EQ(report.made, 2U);
  EXPECT_EQ(report.destroyed.size(), 2U);
  for (const auto& id : in_state("fresh")) EXPECT_EQ(std::count(old.begin(), old.end(), id), 0);
}

TEST_F(RefreshTest, ClonesFromBeforeARebootAreNotLeasedAndReplaced) {
  refresh(1);
  const auto id = in_state("fresh").at(0);
  auto info = must(pool_.fresh()).at(0);
  info.boot = "another";
  write_text(state("fresh/" + id), to_text(info));
  EXPECT_NE(must(Lease::take(&pool_, {})).id(), id);
  refresh();
  EXPECT_EQ(in_state("fresh").size(), 1U);
  EXPECT_NE(in_state("fresh").at(0), id);
}

TEST_F(RefreshTest, ForceReplacesAllFreshClonesAndNoLeasedOnes) {
  refresh(3);
  const auto lease = must(Lease::take(&pool_, {}));
  const auto old = in_state("fresh");
  const auto report = must(pool_.refresh({3, true, true}));
  EXPECT_EQ(report.destroyed.size(), 2U);
  EXPECT_EQ(report.made, 3U);
  EXPECT_TRUE(test::exists(path() + "/clones/" + lease.id()));
  for (const auto& id : in_state("fresh")) EXPECT_EQ(std::count(old.begin(), old.end(), id), 0);
}

TEST_F(RefreshTest, WithoutMakingOnlyUsedClonesAreDestroyed) {
  refresh(2);
  { const auto abandoned = must(Lease::take(&pool_, {})); }
  const auto report = must(pool_.refresh({2, false, false}));
  EXPECT_EQ(report.made, 0U);
  EXPECT_EQ(report.destroyed.size(), 1U);
  EXPECT_EQ(clones().size(), 1U);
}

TEST_F(RefreshTest, ASmallerSizeDestroysSurplusClones) {
  refresh(4);
  EXPECT_EQ(refresh(1).destroyed.size(), 3U);
  EXPECT_EQ(in_state("fresh").size(), 1U);
  EXPECT_EQ(refresh(0).fresh, 0U);
  EXPECT_TRUE(clones().empty());
}

TEST_F(RefreshTest, ABusyCloneStaysAndIsRetried) {
  {
    auto lease = must(Lease::take(&pool_, {}));
    store_.busy = lease.id();
    must(lease.drop());
  }
  EXPECT_EQ(must(pool_.status()).trash, 1U);
  const auto report = refresh(1);
  EXPECT_EQ(report.busy, Names{store_.busy});
  EXPECT_NE(report.reason.find("busy"), std::string::npos) << report.reason;
  EXPECT_EQ(report.fresh, 1U) << "a busy clone must not stop the refresh";
  store_.busy.clear();
  EXPECT_EQ(refresh().destroyed.size(), 1U);
  EXPECT_EQ(must(pool_.status()).trash, 0U);
}

// As with a guest that has made 400,000 nested directories.
TEST_F(RefreshTest, ASlowCloneDoesNotStopOthersFromBeingMadeOrDestroyed) {
  std::vector<Lease> leases;
  for (int i = 0; i < 3; ++i) leases.push_back(must(Lease::take(&pool_, {})));
  store_.slow = {leases[0].id(), leases[1].id()};
  leases.clear();
  const auto start = std::chrono::steady_clock::now();
  const auto report = refresh(2);
  EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::seconds(10));
  EXPECT_EQ(report.fresh, 2U);
  EXPECT_EQ(report.destroyed.size(), 1U);
  EXPECT_EQ(report.busy.size(), 2U);
  EXPECT_TRUE(report.takes_long);
  EXPECT_NE(report.reason.find("takes long to remove"), std::string::npos) << report.reason;
  store_.slow.clear();
  EXPECT_EQ(refresh().destroyed.size(), 2U);
  EXPECT_EQ(must(pool_.status()).trash, 0U);
}

TEST_F(RefreshTest, ACloneThatWasSetAsideComesAfterAllOthers) {
  Names ids;
  {
    std::vector<Lease> leases;
    for (int i = 0; i < 2; ++i) leases.push_back(must(Lease::take(&pool_, {})));
    for (const auto& lease : leases) ids.push_back(lease.id());
    std::sort(ids.begin(), ids.end());
  }
  store_.slow = {ids[0]};
  const auto report = must(pool_.reap({kAMoment, std::chrono::seconds(1)}));
  EXPECT_EQ(report.slow, Names{ids[0]});
  EXPECT_TRUE(test::succeeded(report.failure));
  EXPECT_FALSE(test::succeeded(report.outcome()));
  for (int i = 0; i < 3; ++i) must(Lease::take(&pool_, {}));
  store_.asked.clear();
  const auto again = must(pool_.reap({kAMoment, std::chrono::seconds(5)}));
  EXPECT_EQ(again.destroyed.size(), 3U);
  ASSERT_GT(store_.asked.size(), 3U);
  EXPECT_EQ(store_.asked[3], ids[0]);
}

TEST_F(RefreshTest, AFormerHolderCanNotKeepACloneByLockingItAgain) {
  std::string id;
  Fd copy;
  {
    const auto lease = must(Lease::take(&pool_, {}));
    id = lease.id();
    copy = must(open_file(AT_FDCWD, state("leased/" + id), O_RDONLY));
  }
  store_.slow = {id};
  EXPECT_EQ(must(pool_.reap({kAMoment, kAMoment})).slow, Names{id});
  store_.slow.clear();
  const auto again = must(FileLock::try_lock(std::move(copy), FileLock::Mode::shared));
  EXPECT_EQ(must(pool_.reap()), Names{id});
  EXPECT_EQ(clones(), Names{});
}

TEST_F(RefreshTest, ALeaseCanBeRevokedTwiceAtTheSameTime) {
  for (int round = 0; round < 60; ++round) {
    const auto lease = must(Lease::take(&pool_, {}));
    const LeaseInfo info = must(pool_.leases()).front();
    auto other = must(fork_child(0, [&] { return pool_.revoke(info) ? 0 : 1; }));
    must(pool_.revoke(info));
    EXPECT_TRUE(must(other.wait()).success());
    ASSERT_EQ(must(pool_.reap()), Names{lease.id()}) << round;
  }
}

TEST_F(RefreshTest, ARunLeavesASlowCloneToTheNextReap) {
  std::string id;
  {
    auto lease = must(Lease::take(&pool_, {}));
    id = lease.id();
    write_text(lease.root().directory + "/upper/file", "x");
    store_.slow = {id};
    EXPECT_EQ(must(lease.drop()), Lease::Dropped::slow);
  }
  EXPECT_EQ(in_state("trash"), Names{id});
  store_.slow.clear();
  EXPECT_EQ(must(pool_.reap()), Names{id});
  EXPECT_TRUE(clones().empty());
}

// refresh.lock protects the making of clones; another refresh need not wait for the removal of used ones.
TEST_F(RefreshTest, RemovingUsedClonesDoesNotDelayAnotherRefresh) {
  store_.slow = {must(Lease::take(&pool_, {})).id()};
  auto reaper = must(fork_child(0, [&] { return pool_.reap(ReapLimits::patient()) ? 0 : 1; }));
  auto refresher = must(fork_child(0, [&] { return pool_.refresh({1, false, true}) ? 0 : 1; }));
  const auto start = std::chrono::steady_clock::now();
  for (unsigned wanted = 2; wanted < 6; ++wanted) EXPECT_EQ(refresh(wanted).fresh, wanted);
  EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::seconds(15));
}

TEST_F(RefreshTest, OnAFullDiskUsedClonesAreDestroyedFirst) {
  refresh(1);
  store_.is_full = store_.frees_space = true;
  EXPECT_EQ(must(pool_.refresh({1, true, true})).made, 1U) << "it replaces the destroyed one";
  EXPECT_EQ(clones().size(), 1U);
}

TEST_F(RefreshTest, ClonesWithoutStateAreDestroyed) {
  must(store_.make_clone(must(store_.newest_generation("t")), "t-orphan"));
  test::add_template(store_, "t-t");
  must(store_.make_clone(must(store_.newest_generation("t-t")), "t-t-another"));
  write_text(path() + "/clones/notes", "not a clone");
  refresh(1);
  EXPECT_FALSE(test::exists(path() + "/clones/t-orphan"));
  EXPECT_TRUE(test::exists(path() + "/clones/t-t-another")) << "it belongs to another template";
  EXPECT_TRUE(test::exists(path() + "/clones/notes"));
}

TEST_F(RefreshTest, AFailureToMakeACloneLeavesNothingBehind) {
  store_.is_full = true;
  EXPECT_TRUE(test::fails_with(pool_.refresh({2, false, true}), ENOSPC));
  EXPECT_TRUE(clones().empty());
  EXPECT_TRUE(in_state("making").empty());
  store_.is_full = false;
  EXPECT_EQ(refresh().made, 2U);
}

TEST_F(RefreshTest, AHalfMadeCloneThatCanNotBeDestroyedIsReapedLater) {
  store_.is_dying = true;
  EXPECT_TRUE(test::fails_with(pool_.refresh({2, false, true}), EIO));
  EXPECT_FALSE(Lease::take(&pool_, {}));
  EXPECT_EQ(clones().size(), 2U);
  EXPECT_EQ(in_state("making").size() + in_state("trash").size(), 2U) << "a reap has to find them by their state";
  store_.is_dying = false;
  EXPECT_EQ(must(pool_.reap()).size(), 2U);
  EXPECT_TRUE(clones().empty());
  EXPECT_TRUE(in_state("making").empty());
}

TEST_F(RefreshTest, ATemplateThatDoesNotExistGetsNoState) {
  Pool none(&store_, "none");
  EXPECT_FALSE(none.refresh({1, false, true}));
  EXPECT_FALSE(test::exists(path() + "/pools/none"));
}

// Checks that no clone is given out twice or offered again, and that the pool is complete in the end.
TEST_F(RefreshTest, ConcurrentLeasesAndRefreshesKeepThePoolConsistent) {
  refresh(5);
  std::vector<ChildProcess> workers;
  for (int i = 0; i < 8; ++i) {
    workers.push_back(must(fork_child(0, [&, i] {
      for (int round = 0; round < 15; ++round) {
        if (i == 0 && !pool_.refresh({5, false, true})) return 1;
        auto lease = Lease::take(&pool_, {});
        if (!lease) return 2;
        // If the clone was given out before, the file exists already.
        const auto mark = lease->root().directory + "/upper/mark";
        if (!open_file(AT_FDCWD, mark, O_CREAT | O_EXCL | O_WRONLY, 0600)) return 3;
        if (round % 5 == 4) continue;  // abandon the lease
        if (!lease->drop()) return 4;
      }
      return 0;
    })));
  }
  for (auto& worker : workers) EXPECT_EQ(must(worker.wait()).describe(), "exit status 0");
  refresh(5);
  const auto status = must(pool_.status());
  EXPECT_EQ(status.fresh, 5U);
  EXPECT_EQ(status.leased + status.trash + status.kept, 0U);
  EXPECT_EQ(clones().size(), 5U);
}

}  // namespace
}  // namespace isolate
