#include "share/bus_address.h"

#include <fmt/format.h>
#include <stdlib.h>

#include <optional>

#include "base/environment.h"
#include "base/text.h"

namespace isolate {
namespace {

constexpr const char* kSystemSocket = "/run/dbus/system_bus_socket";
constexpr const char* kSessionVariable = "DBUS_SESSION_BUS_ADDRESS";
constexpr const char* kSystemVariable = "DBUS_SYSTEM_BUS_ADDRESS";

// Returns -1 for a character that is not a hexadecimal digit.
int digit(char character) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  const auto found = kDigits.find(static_cast<char>(::tolower(static_cast<unsigned char>(character))));
  return found == std::string_view::npos ? -1 : static_cast<int>(found);
}

// Replaces each %XX. No part of an address may contain a zero byte.
std::optional<std::string> unescaped(std::string_view value) {
  std::string plain;
  for (std::size_t i = 0; i < value.size(); ++i) {
    if (value[i] != '%') {
      plain += value[i];
      continue;
    }
    if (i + 2 >= value.size()) return std::nullopt;
    const int high = digit(value[i + 1]);
    const int low = digit(value[i + 2]);
    if (high < 0 || low < 0 || high + low == 0) return std::nullopt;
    plain += static_cast<char>(high * 16 + low);
    i += 2;
  }
  return plain;
}

// Returns the socket of "path=...", "abstract=..." or "runtime=yes" among the parts of an address, or "" if they name
// none, such as "guid=..." alone.
std::optional<std::string> socket_of(std::string_view parts) {
  std::string socket;
  for (const auto& part : text::split(parts, ',')) {
    const auto equals = part.find('=');
    if (equals == std::string::npos) return std::nullopt;
    const auto key = part.substr(0, equals);
    const auto value = unescaped(std::string_view(part).substr(equals + 1));
    if (!value || value->empty()) return std::nullopt;
    if (key == "path") {
      if (!value->starts_with('/')) return std::nullopt;
      socket = *value;
    }
    if (key == "abstract") socket = '@' + *value;
    if (key == "runtime" && *value == "yes") socket = environment_variable("XDG_RUNTIME_DIR") + "/bus";
  }
  return socket;
}

}  // namespace

const char* name_of(BusKind bus) { return bus == BusKind::session ? "session" : "system"; }

Result<std::vector<std::string>> sockets_of_addresses(std::string_view addresses) {
  std::vector<std::string> sockets;
  for (const auto& address : text::split(addresses, ';')) {
    if (address.empty()) continue;
    const auto colon = address.find(':');
    if (colon == std::string::npos) return fail(fmt::format("'{}' is not an address", text::printable(address)));
    if (address.substr(0, colon) != "unix") continue;
    auto socket = socket_of(std::string_view(address).substr(colon + 1));
    if (!socket) return fail(fmt::format("'{}' is not an address", text::printable(address)));
    if (!socket->empty()) sockets.push_back(std::move(*socket));
  }
  return sockets;
}

std::string address_of_socket(std::string_view socket) {
  const bool is_abstract = socket.starts_with('@');
  std::string address = is_abstract ? "unix:abstract=" : "unix:path=";
  for (const char character : socket.substr(is_abstract ? 1 : 0)) {
    const auto byte = static_cast<unsigned char>(character);
    const bool is_plain =
        byte < 128 && (::isalnum(byte) != 0 || std::string_view("-_/.*").find(character) != std::string_view::npos);
    address += is_plain ? std::string(1, character) : fmt::format("%{:02x}", byte);
  }
  return address;
}

Result<BusPlace> place_of_bus(BusKind bus) {
  const char* name = bus == BusKind::session ? kSessionVariable : kSystemVariable;
  const auto addresses = environment_variable(name);
  if (!addresses.empty()) {
    auto sockets = sockets_of_addresses(addresses);
    if (!sockets) return fail(fmt::format("{}: {}", name, sockets.error().message()));
    if (sockets->empty()) {
      return fail(fmt::format("{}={} names no Unix socket, and isolate can share no other kind of bus", name,
                              text::printable(addresses)));
    }
    return BusPlace{std::move(*sockets), name};
  }
  if (bus == BusKind::system) return BusPlace{{kSystemSocket}, kSystemSocket};
  const auto runtime = environment_variable("XDG_RUNTIME_DIR");
  if (runtime.starts_with('/')) return BusPlace{{runtime + "/bus"}, runtime + "/bus"};
  return fail(
      fmt::format("there is no session bus, because {} is not set; start isolate from a desktop session, or "
                  "with dbus-run-session",
                  name));
}

}  // namespace isolate
