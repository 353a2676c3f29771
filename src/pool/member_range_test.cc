#include "pool/member_range.h"

#include <set>

#include "base/testing.h"
#include "linux/file.h"

namespace isolate {
namespace {

using test::fails_with;
using test::must;

class MemberRangeTest : public ::testing::Test {
 protected:
  MemberRange take(std::uint32_t uid) { return must(take_member_range(uid, directory_.path())); }
  test::TempDirectory directory_;
};

TEST_F(MemberRangeTest, RangesAreAboveRootsAndShareNoId) {
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

TEST_F(MemberRangeTest, ARangeThatIsFreeAgainGoesToTheSameUserOnly) {
  const auto base = take(1000).base;
  EXPECT_NE(take(1001).base, base);
  EXPECT_EQ(take(1000).base, base);
}

TEST_F(MemberRangeTest, OneUserHasNoMoreThanHisPart) {
  std::vector<MemberRange> ranges;
  for (unsigned i = 0; i < kMostRangesOfMember; ++i) ranges.push_back(take(1000));
  EXPECT_TRUE(fails_with(take_member_range(1000, directory_.path()), EDQUOT));
  EXPECT_NE(take(1001).base, 0U);
  ranges.pop_back();
  EXPECT_NE(take(1000).base, 0U);
}

TEST_F(MemberRangeTest, TheLockIsOpenForReadingOnly) {
  const auto range = take(1000);
  EXPECT_EQ(::fcntl(range.lock.fd(), F_GETFL) & O_ACCMODE, O_RDONLY);
}

}  // namespace
}  // namespace isolate
