// Stores that make and destroy several clones at a time, and that know the newest generation without looking.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>

#include "base/testing.h"
#include "linux/file.h"
#include "pool/lease.h"
#include "store/overlay_store.h"

namespace isolate {
namespace {

using test::must;

class BatchStore : public OverlayStore {
 public:
  explicit BatchStore(OverlayStore store) : OverlayStore(std::move(store)) {}
  std::size_t clones_at_a_time() const override { return 4; }
  Result<Generation> newest_generation(const std::string& name) override {
    ++looks;
    return OverlayStore::newest_generation(name);
  }
  std::optional<Generation> recorded_generation(const std::string& /*name*/) override { return recorded; }
  Result<void> make_clone(const Generation& generation, const std::string& id) override {
    if (generation.number == gone) return fail(ENOENT, "clone");
    return OverlayStore::make_clone(generation, id);
  }
  std::vector<Result<void>> make_clones(const Generation& generation, const std::vector<std::string>& ids) override {
    made.push_back(ids.size());
    auto outcomes = OverlayStore::make_clones(generation, ids);
    if (failing < ids.size()) {
      must(destroy_clone(generation.template_name, ids[failing]));
      outcomes[failing] = fail(ENOSPC, "clone");
    }
    return outcomes;
  }
  using Store::destroy_clone;
  std::vector<Result<void>> destroy_clones(const std::string& name, const std::vector<std::string>& ids,
                                           Deadline deadline) override {
    destroyed.push_back(ids.size());
    auto outcomes = OverlayStore::destroy_clones(name, ids, deadline);
    for (std::size_t i = 0; i < ids.size(); ++i) {
      if (ids[i] == busy) outcomes[i] = fail(EBUSY, "destroy");
    }
    return outcomes;
  }

  int looks = 0;
  std::optional<Generation> recorded;
  std::size_t failing = SIZE_MAX;  // the clone in each batch that can't be made
  std::uint64_t gone = 0;          // a generation that no clone can be made of
  std::string busy;
  std::vector<std::size_t> made;
  std::vector<std::size_t> destroyed;
};

class BatchTest : public ::testing::Test {
 protected:
  BatchTest()
      : owner_(Caller::current()),
        store_(must(OverlayStore::open(directory_ / "store", &owner_))),
        pool_(&store_, "t") {
    test::add_template(store_, "t");
  }
  void SetUp() override { REQUIRE_ROOT(); }
  std::vector<std::string> in_state(const std::string& name) const {
    return must(list_directory(AT_FDCWD, pool_.state_path(name)));
  }

  test::TempDirectory directory_;
  OwnerNamespace owner_;
  BatchStore store_;
  Pool pool_;
};

using Sizes = std::vector<std::size_t>;

TEST_F(BatchTest, ClonesAreMadeAndDestroyedInBatches) {
  EXPECT_EQ(must(pool_.refresh({10U, false, true})).made, 10U);
  EXPECT_EQ(store_.made, (Sizes{4, 4, 2}));
  EXPECT_EQ(in_state("fresh").size(), 10U);
  EXPECT_EQ(must(pool_.refresh({1U, false, true})).destroyed.size(), 9U);
  EXPECT_EQ(std::count(store_.destroyed.begin(), store_.destroyed.end(), 4U), 2);
  EXPECT_EQ(in_state("fresh").size(), 1U);
}

TEST_F(BatchTest, ACloneThatCanNotBeMadeDoesNotTakeTheOthersOfItsBatchAlong) {
  store_.failing = 1;
  EXPECT_TRUE(test::fails_with(pool_.refresh({4U, false, true}), ENOSPC));
  EXPECT_EQ(in_state("fresh").size(), 3U);
  EXPECT_TRUE(in_state("making").empty());
  EXPECT_EQ(must(store_.clones("t")).size(), 3U);
}

TEST_F(BatchTest, ABusyCloneDoesNotKeepTheOthersOfItsBatch) {
  must(pool_.refresh({4U, false, true}));
  store_.busy = in_state("fresh").at(2);
  const auto report = must(pool_.refresh({0U, false, true}));
  EXPECT_EQ(report.destroyed.size(), 3U);
  EXPECT_EQ(report.busy, std::vector<std::string>{store_.busy});
  // The next reap begins with the others.
  const auto state = pool_.state_path("trash") + "/" + store_.busy;
  EXPECT_GT(lease_info_from(must(read_file(state))).set_aside, 0);
}

TEST_F(BatchTest, ALeaseOfTheRecordedGenerationDoesNotLookForTheNewest) {
  must(pool_.refresh({2U, false, true}));
  store_.recorded = must(store_.newest_generation("t"));
  store_.looks = 0;
  const auto lease = must(Lease::take(&pool_, {}));
  EXPECT_EQ(store_.looks, 0);
  EXPECT_EQ(lease.generation().number, store_.recorded->number);
  EXPECT_EQ(must(pool_.leases()).at(0).generation, store_.recorded->number);
}

TEST_F(BatchTest, ALeaseLooksIfTheRecordedGenerationIsGone) {
  must(pool_.refresh({0U, false, true}));
  const auto newest = must(store_.newest_generation("t"));
  store_.recorded = newest;
  store_.recorded->number = store_.gone = newest.number + 1;
  const auto lease = must(Lease::take(&pool_, {}));
  EXPECT_EQ(lease.generation().number, newest.number);
  EXPECT_EQ(must(store_.clones("t")).size(), 1U);
  EXPECT_TRUE(in_state("making").empty());
}

}  // namespace
}  // namespace isolate
