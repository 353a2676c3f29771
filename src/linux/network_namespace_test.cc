#include "linux/network_namespace.h"

#include <gtest/gtest.h>

namespace isolate {
namespace {

using Ranges = std::vector<std::string>;

TEST(PingRangesTest, AMapWithOneEntryHasOneRange) {
  EXPECT_EQ(ping_ranges({{0, 1 << 30, 65536}}), Ranges{"0\t65535"});
  EXPECT_EQ(ping_ranges({{0, 1000, 1}}), Ranges{"0\t0"}) << "--userns=single";
}

TEST(PingRangesTest, ASecondRangeOmitsTheCallersGroup) {
  EXPECT_EQ(ping_ranges({{0, 1000, 1}, {1, 100000, 65535}}), (Ranges{"0\t65535", "1\t65535"}));
}

TEST(PingRangesTest, RangesEndAtTheLargestIdThatTheKernelAccepts) {
  EXPECT_EQ(ping_ranges({{0, 0, 4294967295}}), Ranges{"0\t2147483647"});
}

TEST(PingRangesTest, AnEmptyMapHasNoRange) { EXPECT_TRUE(ping_ranges({}).empty()); }

}  // namespace
}  // namespace isolate
