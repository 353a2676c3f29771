#include "share/bus_wish.h"

#include <gtest/gtest.h>

#include "base/testing.h"

namespace isolate {
namespace {

using test::must;
using Rules = std::vector<std::string>;

TEST(BusWishTest, ABusAloneAllowsNothing) {
  EXPECT_EQ(must(parse_bus_wish("session")).bus, BusKind::session);
  EXPECT_TRUE(must(parse_bus_wish("session")).rules.empty());
  EXPECT_EQ(must(parse_bus_wish("system")).bus, BusKind::system);
}

TEST(BusWishTest, RulesKeepTheirOrder) {
  EXPECT_EQ(must(parse_bus_wish("system,talk=org.a.B,own=org.a_1.C-d.*,see=x.y")).rules,
            (Rules{"--talk=org.a.B", "--own=org.a_1.C-d.*", "--see=x.y"}));
}

TEST(BusWishTest, PresetsStandForNames) {
  EXPECT_EQ(must(parse_bus_wish("session,notifications,portals")).rules,
            (Rules{"--talk=org.freedesktop.Notifications", "--talk=org.freedesktop.portal.Desktop"}));
  EXPECT_FALSE(parse_bus_wish("system,notifications"));
}

TEST(BusWishTest, EverythingElseIsRefused) {
  const auto long_name = "session,talk=a." + std::string(254, 'b');
  for (const std::string& bad :
       {std::string(), std::string("user"), std::string("session,"), std::string("session,talk"),
        std::string("session,talk="), std::string("session,call=a.b"), std::string("session,talk=a"),
        std::string("session,talk=a..b"), std::string("session,talk=.a.b"), std::string("session,talk=a.b."),
        std::string("session,talk=*"), std::string("session,talk=a.*"), std::string("session,talk=a.*.b"),
        std::string("session,talk=:1.2"), std::string("session,talk=a.2b"), std::string("session,talk=a.b=c"),
        std::string("session,talk=a.b --own=c.d"), std::string("session,own=org.freedesktop.DBus"), long_name}) {
    EXPECT_FALSE(parse_bus_wish(bad)) << bad;
  }
  EXPECT_TRUE(parse_bus_wish("session,talk=a." + std::string(253, 'b')));
}

}  // namespace
}  // namespace isolate
