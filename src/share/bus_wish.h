// The values of --dbus: a bus, and what a guest may do on it.
#pragma once

#include <string>
#include <vector>

#include "base/result.h"
#include "share/bus_address.h"

namespace isolate {

// A bus with the options of xdg-dbus-proxy that allow something, such as --talk=org.freedesktop.Notifications. Without
// any, the guest can connect to the bus but reaches no other program on it.
struct BusWish {
  BusKind bus = BusKind::session;
  std::vector<std::string> rules;
};

// Parses session|system[,talk=NAME|own=NAME|see=NAME|notifications|portals]... Errors: plain text.
Result<BusWish> parse_bus_wish(const std::string& value);

}  // namespace isolate
