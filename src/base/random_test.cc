#include "base/random.h"

#include <gtest/gtest.h>

#include <set>

namespace isolate {
namespace {

TEST(RandomTest, NamesAreTwelveLettersAndDigits) {
  for (int i = 0; i < 100; ++i) {
    const auto name = random_name();
    EXPECT_EQ(name.size(), 12U);
    EXPECT_EQ(name.find_first_not_of("abcdefghijklmnopqrstuvwxyz234567"), std::string::npos) << name;
  }
}

TEST(RandomTest, NamesDoNotRepeat) {
  std::set<std::string> names;
  for (int i = 0; i < 10000; ++i) names.insert(random_name());
  EXPECT_EQ(names.size(), 10000U);
}

}  // namespace
}  // namespace isolate
