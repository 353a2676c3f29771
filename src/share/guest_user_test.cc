#include "share/guest_user.h"

#include <gtest/gtest.h>

namespace isolate {
namespace {

const GuestUser kUser{"ada", 1000, 1001, "/home/ada"};

TEST(GuestUserTest, PasswdGetsALineForTheUserAfterThoseOfTheRoot) {
  EXPECT_EQ(passwd_text("root:x:0:0:root:/root:/bin/bash\n", kUser),
            "root:x:0:0:root:/root:/bin/bash\nada:x:1000:1001::/home/ada:/bin/sh\n");
  EXPECT_EQ(passwd_text("", kUser), "ada:x:1000:1001::/home/ada:/bin/sh\n");
}

TEST(GuestUserTest, LinesOfTheRootWithTheNameOrTheNumberGiveWay) {
  EXPECT_EQ(passwd_text("ada:x:5:5::/:/bin/x\nnode:x:1000:1000::/home/node:/bin/sh\nadam:x:10000:1::/:/bin/sh", kUser),
            "adam:x:10000:1::/:/bin/sh\nada:x:1000:1001::/home/ada:/bin/sh\n");
}

TEST(GuestUserTest, AMalformedLineOfTheRootStays) {
  EXPECT_EQ(passwd_text("+\n::\n\n", kUser), "+\n::\nada:x:1000:1001::/home/ada:/bin/sh\n");
}

TEST(GuestUserTest, TheGroupHasTheNameThatTheRootOrElseTheHostGivesTheNumber) {
  EXPECT_EQ(group_text("root:x:0:\nusers:x:1001:bob\n", "staff:x:1001:\n", kUser), "root:x:0:\nusers:x:1001:\n");
  EXPECT_EQ(group_text("root:x:0:\nstaff:x:50:\n", "staff:x:1001:\n", kUser), "root:x:0:\nstaff:x:1001:\n");
  EXPECT_EQ(group_text("root:x:0:\n", "", kUser), "root:x:0:\nada:x:1001:\n");
}

TEST(GuestUserTest, RootStaysRoot) {
  const auto user = guest_user(Caller{0, 0});
  ASSERT_TRUE(user);
  EXPECT_EQ(*user, (GuestUser{"root", 0, 0, "/root"}));
}

}  // namespace
}  // namespace isolate
