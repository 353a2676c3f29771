#include "base/nearest.h"

#include <gtest/gtest.h>

namespace isolate::text {
namespace {

const std::vector<std::string> kWords = {"create", "edit", "list", "remove", "debian", "debian-small"};

TEST(NearestTest, IsTheWordWithASlipOfTheFinger) {
  EXPECT_EQ(nearest("debain", kWords), "debian");
  EXPECT_EQ(nearest("lst", kWords), "list");
  EXPECT_EQ(nearest("creat", kWords), "create");
  EXPECT_EQ(nearest("remov", kWords), "remove");
}

TEST(NearestTest, IsNoneWhereAllDifferMuch) {
  EXPECT_EQ(nearest("fedora", kWords), "");
  EXPECT_EQ(nearest("x", kWords), "");
  EXPECT_EQ(nearest("", kWords), "");
  EXPECT_EQ(nearest(std::string(1000, 'a'), kWords), "");
}

}  // namespace
}  // namespace isolate::text
