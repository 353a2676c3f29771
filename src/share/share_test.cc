#include "share/share.h"

#include <gtest/gtest.h>

#include "base/testing.h"

namespace isolate {
namespace {

using test::succeeded;
using Wishes = std::vector<ShareWish>;

Result<void> refuse_bad(const std::string& value) {
  if (value == "bad") return fail("'bad' is bad");
  return {};
}

constexpr ShareOption kOnce = {.letter = 'o', .name = "once", .value = "VALUE", .check = refuse_bad};
constexpr ShareOption kOften = {.name = "often", .value = "VALUE", .needs_value = true, .is_repeatable = true};

class WishTest : public ::testing::Test {
 protected:
  void add(const ShareOption& option, const std::string& value) {
    EXPECT_TRUE(succeeded(add_wish(option, value, &request_)));
  }
  RunRequest request_;
};

TEST_F(WishTest, TheLastValueCounts) {
  add(kOnce, "one");
  add(kOften, "x");
  add(kOnce, "true");
  EXPECT_EQ(request_.shares, (Wishes{{"often", "x"}, {"once", ""}}));
}

TEST_F(WishTest, ARepeatableOptionKeepsEachValue) {
  add(kOften, "x");
  add(kOften, "y");
  EXPECT_EQ(request_.shares, (Wishes{{"often", "x"}, {"often", "y"}}));
}

TEST_F(WishTest, FalseTakesBackWhatAConfigurationFileAskedFor) {
  add(kOnce, "one");
  add(kOften, "x");
  add(kOften, "y");
  add(kOften, "false");
  EXPECT_EQ(request_.shares, (Wishes{{"once", "one"}}));
}

TEST_F(WishTest, ALaterValueOverridesFalse) {
  add(kOnce, "false");
  EXPECT_EQ(request_.declined, std::vector<std::string>{"once"});
  add(kOnce, "one");
  EXPECT_TRUE(request_.declined.empty());
  EXPECT_EQ(request_.shares, (Wishes{{"once", "one"}}));
}

TEST_F(WishTest, AnInvalidValueChangesNothing) {
  add(kOnce, "one");
  EXPECT_FALSE(add_wish(kOnce, "bad", &request_));
  EXPECT_EQ(request_.shares, (Wishes{{"once", "one"}}));
}

TEST(LookUpSharesTest, WithoutAWishNothingIsLookedUp) {
  const auto plan = test::must(look_up_shares({}, Caller::current()));
  EXPECT_TRUE(plan.mounts.empty());
  EXPECT_TRUE(plan.environment.empty());
}

TEST(LookUpSharesTest, ABindOnTmpIsRefused) {
  RunRequest request;
  request.shares = {{"x11", ""}};
  request.binds = {{"/tmp", "/tmp", false}};
  const auto plan = look_up_shares(request, Caller::current());
  ASSERT_FALSE(plan);
  EXPECT_NE(plan.error().message().find("--x11 needs the guest's own /tmp"), std::string::npos)
      << plan.error().message();
}

}  // namespace
}  // namespace isolate
