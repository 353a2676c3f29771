#include "base/nearest.h"

#include <gtest/gtest.h>

namespace isolate::text {
namespace {

const std::vector<std::string> kWords = {"create", "edit", "list", "remove", "debian", "debian-small"};

TEST(NearestTest, FindsTheWordDespiteATypingMistake) {
  EXPECT_EQ(nearest_word("debain", kWords), "debian");
  EXPECT_EQ(nearest_word("lst", kWords), "list");
  EXPECT_EQ(nearest_word("creat", kWords), "create");
  EXPECT_EQ(nearest_word("remov", kWords), "remove");
}

TEST(NearestTest, FindsNothingWhenNoWordIsClose) {
  EXPECT_EQ(nearest_word("fedora", kWords), "");
  EXPECT_EQ(nearest_word("x", kWords), "");
  EXPECT_EQ(nearest_word("", kWords), "");
  EXPECT_EQ(nearest_word(std::string(1000, 'a'), kWords), "");
}

}  // namespace
}  // namespace isolate::text
