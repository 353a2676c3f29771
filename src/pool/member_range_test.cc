#include "pool/member_range.h"

#include <unistd.h>

#include <cstdint>
#include <set>

#include "base/testing.h"
#include "linux/file.h"
#include "pool/pool.h"
#include "store/overlay_store.h"

namespace isolate {
namespace {

using test::fails_with;
using test::must;

class MemberRangeTest : public ::testing::Test {
 protected:
  MemberRange take(std::uint32_t uid) { return must(acquire_member_range(uid, directory_.path())); }
  test::TempDirectory directory_;
};

TEST_F(MemberRangeTest, RangesLieAboveThoseOfRootAndDoNotOverlap) {
  std::vector<MemberRange> ranges;
  std::set<std::uint32_t> bases;
  for (std::uint32_t uid = 1000; uid < 1020; ++uid) {
    ranges.push_back(take(uid % 4 + 1000));
    const auto base = ranges.back().base;
    EXPECT_GE(base, kFirstRange + kRangesOfRoot * kGuestIds);
    EXPECT_LT(base, 1U << 31);
    EXPECT_EQ(base % kGuestIds, 0U);
    EXPECT_TRUE(bases.insert(base).second) << base;
  }
}

TEST_F(MemberRangeTest, AFreedRangeIsReusedOnlyByTheSameUser) {
  const auto base = take(1000).base;
  EXPECT_NE(take(1001).base, base);
  EXPECT_EQ(take(1000).base, base);
}

TEST_F(MemberRangeTest, AUserCanNotExceedTheirLimit) {
  std::vector<MemberRange> ranges;
  for (unsigned i = 0; i < kMostRangesOfMember; ++i) ranges.push_back(take(1000));
  EXPECT_TRUE(fails_with(acquire_member_range(1000, directory_.path()), EDQUOT));
  EXPECT_NE(take(1001).base, 0U);
  ranges.pop_back();
  EXPECT_NE(take(1000).base, 0U);
}

TEST_F(MemberRangeTest, AnUnlockedRangeStaysInUseWhileItsCloneExists) {
  OwnerNamespace owner(Caller::current());
  auto store = must(OverlayStore::open(directory_ / "store", &owner));
  const Pool pool(&store, "t");
  std::vector<std::uint32_t> bases;
  for (const char* state : {"leased", "trash"}) {
    const auto clone = std::string("t-") + state;
    test::write_text(directory_ / "store/pools/t/" + state + "/" + clone, "");
    const auto range = take(1000);
    must(lend_range(range, pool, clone));
    bases.push_back(range.base);
  }
  EXPECT_NE(bases[0], bases[1]);
  for (const auto base : bases) EXPECT_NE(take(1000).base, base);
  // They count towards the user's limit.
  std::vector<MemberRange> others;
  for (unsigned i = 2; i < kMostRangesOfMember; ++i) others.push_back(take(1000));
  EXPECT_TRUE(fails_with(acquire_member_range(1000, directory_.path()), EDQUOT));
  ::unlink((directory_ / "store/pools/t/trash/t-trash").c_str());
  EXPECT_EQ(take(1000).base, bases[1]);
}

TEST_F(MemberRangeTest, TheLockIsOpenForReadingOnly) {
  const auto range = take(1000);
  EXPECT_EQ(::fcntl(range.lock.fd(), F_GETFL) & O_ACCMODE, O_RDONLY);
}

}  // namespace
}  // namespace isolate
