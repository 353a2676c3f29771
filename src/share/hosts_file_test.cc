#include "share/hosts_file.h"

#include <gtest/gtest.h>

namespace isolate {
namespace {

constexpr const char* kLocal = "127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost ip6-loopback\n";

TEST(HostsFileTest, WithoutAFileThereAreLocalhostAndTheOwnName) {
  EXPECT_EQ(hosts_text("", "", "deb-abc"), std::string(kLocal) + "127.0.1.1\tdeb-abc\n");
}

TEST(HostsFileTest, LinesOfTheRootStay) {
  const std::string own = "# mine\n10.0.0.1 deb-abc other # comment\n\n::1 a localhost\n127.0.0.1\tlocalhost b";
  EXPECT_EQ(hosts_text(own, "", "deb-abc"), own + "\n");
  EXPECT_EQ(hosts_text(own + "\n", "", "x"), own + "\n127.0.1.1\tx\n");
}

TEST(HostsFileTest, ANameInACommentOrInPartIsMissing) {
  EXPECT_EQ(hosts_text("# 127.0.0.1 localhost\n10.0.0.1 xy # x\n", "", "x"),
            "# 127.0.0.1 localhost\n10.0.0.1 xy # x\n" + std::string(kLocal) + "127.0.1.1\tx\n");
}

TEST(HostsFileTest, TheHostsLinesFollowWhereTheyNameSomethingNew) {
  EXPECT_EQ(
      hosts_text("127.0.0.1 localhost\n10.0.0.1 a\n", "# host\n127.0.0.1 localhost\n10.9.9.9 a\n10.0.0.2 b a\n\n", "x"),
      "127.0.0.1 localhost\n10.0.0.1 a\n10.0.0.2 b a\n::1\tlocalhost ip6-localhost ip6-loopback\n127.0.1.1\tx\n");
}

}  // namespace
}  // namespace isolate
