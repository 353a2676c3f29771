#include "share/bus_address.h"

#include <gtest/gtest.h>

#include "base/testing.h"

namespace isolate {
namespace {

using test::must;
using test::ScopedVariable;
using Sockets = std::vector<std::string>;

TEST(BusAddressTest, UnixSocketsAreFoundInTheirOrder) {
  EXPECT_EQ(must(sockets_of_addresses("unix:path=/run/user/1000/bus")), Sockets{"/run/user/1000/bus"});
  EXPECT_EQ(must(sockets_of_addresses("unix:path=/a,guid=0123;unix:abstract=/tmp/dbus-x,guid=4567;")),
            (Sockets{"/a", "@/tmp/dbus-x"}));
  EXPECT_EQ(must(sockets_of_addresses("tcp:host=localhost,port=1;autolaunch:;unix:guid=1,path=/b")), Sockets{"/b"});
  EXPECT_TRUE(must(sockets_of_addresses("tcp:host=localhost")).empty());
  const ScopedVariable runtime("XDG_RUNTIME_DIR", "/run/x");
  EXPECT_EQ(must(sockets_of_addresses("unix:runtime=yes")), Sockets{"/run/x/bus"});
}

TEST(BusAddressTest, EscapedBytesAreReadAndWritten) {
  EXPECT_EQ(must(sockets_of_addresses("unix:path=/a%20b%2c%3B%c3%A9")), Sockets{"/a b,;\xc3\xa9"});
  EXPECT_EQ(address_of_socket("/a b,;\xc3\xa9%"), "unix:path=/a%20b%2c%3b%c3%a9%25");
  EXPECT_EQ(address_of_socket("@/tmp/dbus-x"), "unix:abstract=/tmp/dbus-x");
  // The address is a word among the arguments of the filter.
  EXPECT_EQ(address_of_socket("/a\n--talk=b"), "unix:path=/a%0a--talk%3db");
}

TEST(BusAddressTest, OtherTextIsRefused) {
  for (const char* bad : {"/run/bus", "unix", "unix:path", "unix:path=", "unix:path=a", "unix:path=/a%2",
                          "unix:path=/%zz", "unix:path=/a%00b", "unix:abstract=", "unix:path=/a,x"}) {
    EXPECT_FALSE(sockets_of_addresses(bad)) << bad;
  }
}

TEST(BusAddressTest, TheEnvironmentSaysWhereTheBusIs) {
  const ScopedVariable runtime("XDG_RUNTIME_DIR", "/run/x");
  {
    const ScopedVariable session("DBUS_SESSION_BUS_ADDRESS", "unix:path=/a;unix:path=/b");
    EXPECT_EQ(must(place_of_bus(BusKind::session)).sockets, (Sockets{"/a", "/b"}));
  }
  const ScopedVariable session("DBUS_SESSION_BUS_ADDRESS", nullptr);
  const ScopedVariable system("DBUS_SYSTEM_BUS_ADDRESS", nullptr);
  EXPECT_EQ(must(place_of_bus(BusKind::session)).sockets, Sockets{"/run/x/bus"});
  EXPECT_EQ(must(place_of_bus(BusKind::system)).sockets, Sockets{"/run/dbus/system_bus_socket"});
  const ScopedVariable none("XDG_RUNTIME_DIR", nullptr);
  EXPECT_NE(test::message_of(place_of_bus(BusKind::session)).find("dbus-run-session"), std::string::npos);
}

}  // namespace
}  // namespace isolate
