#include "statistics.h"

#include <gtest/gtest.h>

namespace isolate::bench {
namespace {

TEST(StatisticsTest, AQuantileIsInterpolatedBetweenNeighbours) {
  EXPECT_DOUBLE_EQ(quantile({4, 1, 3, 2}, 0.5), 2.5);
  EXPECT_DOUBLE_EQ(quantile({5, 1, 3}, 0.5), 3);
  EXPECT_DOUBLE_EQ(quantile({1, 2, 3, 4, 5}, 0.25), 2);
  EXPECT_DOUBLE_EQ(quantile({7}, 0.75), 7);
}

TEST(StatisticsTest, OneOutlierDoesNotMoveTheMedian) {
  const Summary summary = summarize({1, 1, 1, 1, 1000});
  EXPECT_DOUBLE_EQ(summary.median, 1);
  EXPECT_DOUBLE_EQ(summary.upper_quartile, 1);
}

TEST(StatisticsTest, ARatioLiesInItsInterval) {
  std::vector<double> fast;
  std::vector<double> slow;
  for (int i = 0; i < 100; ++i) {
    fast.push_back(10 + i % 7);
    slow.push_back(20 + i % 11);
  }
  const Ratio ratio = ratio_of_medians(slow, fast);
  EXPECT_LE(ratio.low, ratio.value);
  EXPECT_GE(ratio.high, ratio.value);
  EXPECT_NEAR(ratio.value, 25.0 / 13.0, 0.01);
}

TEST(StatisticsTest, MoreSpreadWidensTheInterval) {
  std::vector<double> steady;
  std::vector<double> noisy;
  for (int i = 0; i < 60; ++i) {
    steady.push_back(10 + 0.01 * (i % 5));
    noisy.push_back(5 + i % 11);
  }
  const Ratio narrow = ratio_of_medians(steady, steady);
  const Ratio wide = ratio_of_medians(noisy, steady);
  EXPECT_LT(narrow.high - narrow.low, wide.high - wide.low);
}

}  // namespace
}  // namespace isolate::bench
