#include "share/bus_wish.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <string_view>

#include "base/text.h"

namespace isolate {
namespace {

struct Preset {
  std::string_view name;
  std::string_view rule;
};
constexpr std::array kPresets = {
    Preset{"notifications", "--talk=org.freedesktop.Notifications"},
    // Only the portals themselves. Other names below org.freedesktop.portal start programs or hand out files.
    Preset{"portals", "--talk=org.freedesktop.portal.Desktop"},
};

constexpr std::string_view kBusItself = "org.freedesktop.DBus";

bool is_element(std::string_view element) {
  if (element.empty() || (element[0] >= '0' && element[0] <= '9')) return false;
  return std::all_of(element.begin(), element.end(), [](char character) {
    const auto byte = static_cast<unsigned char>(character);
    return byte < 128 && (::isalnum(byte) != 0 || character == '_' || character == '-');
  });
}

// A well-known name (D-Bus specification, "Bus names"), or one followed by ".*", for it and all names below it.
bool is_bus_name(std::string_view name) {
  constexpr std::size_t kLongest = 255;
  if (name.ends_with(".*")) name.remove_suffix(2);
  const auto elements = text::split(name, '.');
  return name.size() <= kLongest && elements.size() >= 2 &&
         std::all_of(elements.begin(), elements.end(), [](const std::string& element) { return is_element(element); });
}

Result<std::string> rule_for(const std::string& word, BusKind bus) {
  const auto* preset =
      std::find_if(kPresets.begin(), kPresets.end(), [&](const Preset& known) { return known.name == word; });
  if (preset != kPresets.end()) {
    if (bus == BusKind::session) return std::string(preset->rule);
    return fail(fmt::format("dbus: {} are on the session bus, not on the {} bus", word, name_of(bus)));
  }
  const auto equals = word.find('=');
  const auto policy = word.substr(0, equals);
  if (equals == std::string::npos || (policy != "talk" && policy != "own" && policy != "see")) {
    return fail(fmt::format("dbus: '{}' is not talk=NAME, own=NAME, see=NAME, notifications or portals",
                            text::printable(word)));
  }
  const auto name = word.substr(equals + 1);
  if (name == kBusItself) {
    return fail(
        fmt::format("dbus: {} is the bus itself, which needs no rule: every guest can make its harmless calls", name));
  }
  if (is_bus_name(name)) return fmt::format("--{}={}", policy, name);
  return fail(
      fmt::format("dbus: '{}' is not a bus name such as org.example.Name or org.example.*", text::printable(name)));
}

}  // namespace

Result<BusWish> parse_bus_wish(const std::string& value) {
  auto words = text::split(value, ',');
  BusWish wish;
  if (words[0] == name_of(BusKind::system)) {
    wish.bus = BusKind::system;
  } else if (words[0].empty()) {
    return fail("dbus: the bus is missing; give session or system, as in --dbus=session,notifications");
  } else if (words[0] != name_of(BusKind::session)) {
    return fail(fmt::format("dbus: '{}' is not session or system", text::printable(words[0])));
  }
  words.erase(words.begin());
  for (const auto& word : words) wish.rules.push_back(TRY(rule_for(word, wish.bus)));
  return wish;
}

}  // namespace isolate
