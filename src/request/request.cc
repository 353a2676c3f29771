#include "request/request.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdint>
#include <cstdlib>

#include "base/text.h"

namespace isolate {

namespace {

Result<void> check_target(const std::string& target, const std::string& shown) {
  std::string first;
  for (const auto& name : text::split(target, '/')) {
    if (name == "." || name == "..") return fail(fmt::format("bind '{}': TARGET must not contain '{}'", shown, name));
    if (first.empty()) first = name;
  }
  if (first.empty()) return fail(fmt::format("bind '{}': TARGET can't be the root itself; use -t for that", shown));
  if (first == "proc") {
    return fail(fmt::format("bind '{}': TARGET can't be below /proc, which is mounted after all binds", shown));
  }
  return {};
}

// Finds the last colon that separates two fields. A colon after a backslash belongs to a name. npos if there is none.
std::size_t last_separator(std::string_view text) {
  auto at = text.rfind(':');
  while (at != std::string_view::npos && at > 0 && text[at - 1] == '\\') at = text.rfind(':', at - 1);
  return at;
}

// Turns "\:" into a colon. A backslash before any other character stays.
std::string without_escapes(std::string_view text) {
  std::string plain;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '\\' && i + 1 < text.size() && text[i + 1] == ':') continue;
    plain += text[i];
  }
  return plain;
}

// The two fields of HOST:TARGET. For HOST alone both are HOST, since it appears at its own path.
struct BindPlaces {
  std::string_view host;
  std::string_view target;
};
BindPlaces places_in(std::string_view text) {
  const auto at = last_separator(text);
  if (at == std::string_view::npos) return {text, text};
  return {text.substr(0, at), text.substr(at + 1)};
}

Result<void> check_host(std::string_view host, const std::string& shown) {
  if (host.empty()) return fail(fmt::format("bind '{}': HOST is empty", shown));
  if (!host.starts_with("~/")) return {};
  return fail(fmt::format(
      "bind '{}': the shell did not replace '~/', because it does so only at the beginning of a word; write $HOME/ "
      "instead (or ./~/ for a directory called '~')",
      shown));
}

}  // namespace

Result<Bind> parse_bind(std::string_view text) {
  const auto shown = text::printable(text);
  auto places = places_in(text);
  const bool has_mode = places.target.data() != places.host.data() && (places.target == "ro" || places.target == "rw");
  const bool is_read_only = has_mode && places.target == "ro";
  if (has_mode) places = places_in(places.host);
  TRY_VOID(check_host(places.host, shown));
  if (!places.target.starts_with('/')) {
    const bool is_third = places_in(places.host).target.data() != places.host.data();
    if (is_third && !has_mode && places_in(places.host).target.starts_with('/')) {
      return fail(fmt::format("bind '{}': '{}' is neither ro nor rw", shown, text::printable(places.target)));
    }
    return fail(
        fmt::format("bind '{}': TARGET must begin with '/', and so must HOST if there is no TARGET; write a colon in a "
                    "name as '\\:'",
                    shown));
  }
  Bind bind{without_escapes(places.host), without_escapes(places.target), is_read_only};
  TRY_VOID(check_target(bind.target, shown));
  return bind;
}

std::string escaped_colons(std::string_view path) {
  std::string escaped;
  for (const char c : path) {
    if (c == ':') escaped += '\\';
    escaped += c;
  }
  return escaped;
}

Result<std::string> parse_variable(std::string_view text) {
  const auto at = text.find_first_of(":=");
  const auto name = text.substr(0, at);
  if (at == std::string_view::npos || name.empty()) {
    return fail(fmt::format("environment '{}' is neither NAME=VALUE nor NAME:VALUE", text::printable(text)));
  }
  const bool valid = std::all_of(name.begin(), name.end(), [](char c) {
    return c == '_' || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
  });
  if (!valid || (name.front() >= '0' && name.front() <= '9')) {
    return fail(fmt::format("environment: '{}' is not the name of a variable; use letters, digits and '_'",
                            text::printable(name)));
  }
  return std::string(name) + "=" + std::string(text.substr(at + 1));
}

Result<std::optional<std::string>> parse_variable_of(std::string_view text) {
  if (text.find_first_of(":=") != std::string_view::npos) return TRY(parse_variable(text));
  const auto empty = TRY(parse_variable(std::string(text) + "="));
  const char* value = std::getenv(std::string(text).c_str());
  if (value == nullptr) return std::nullopt;
  return empty + value;
}

Result<EngineKind> parse_engine(std::string_view text) {
  if (text == "bwrap") return EngineKind::bwrap;
  if (text == "lxc") return EngineKind::lxc;
  if (text == "native") return EngineKind::native;
  if (text == "chroot") return EngineKind::chroot;
  return fail(fmt::format("engine '{}' is unknown; use bwrap, native, lxc or chroot", text::printable(text)));
}

const char* engine_name(EngineKind engine) {
  switch (engine) {
    case EngineKind::bwrap:
      return "bwrap";
    case EngineKind::lxc:
      return "lxc";
    case EngineKind::native:
      return "native";
    case EngineKind::chroot:
      break;
  }
  return "chroot";
}

Result<UsernsMode> parse_userns(std::string_view text) {
  if (text == "auto") return UsernsMode::automatic;
  if (text == "private") return UsernsMode::private_range;
  if (text == "single") return UsernsMode::single;
  return fail(fmt::format("userns '{}' is unknown; use auto, private or single", text::printable(text)));
}

Result<GroupsMode> parse_groups(std::string_view text) {
  if (text == "auto") return GroupsMode::automatic;
  if (text == "keep") return GroupsMode::keep;
  if (text == "drop") return GroupsMode::drop;
  return fail(fmt::format("groups '{}' is unknown; use auto, keep or drop", text::printable(text)));
}

Result<WarmUse> parse_warm(std::string_view text) {
  if (text == "auto") return WarmUse::automatic;
  if (text == "require") return WarmUse::required;
  if (text == "no") return WarmUse::never;
  return fail(fmt::format("warm '{}' is unknown; use auto, require or no", text::printable(text)));
}

Result<SeccompChoice> parse_seccomp(std::string_view text) {
  if (text == "default") return SeccompChoice{SeccompChoice::Kind::standard, ""};
  if (text == "tty") return SeccompChoice{SeccompChoice::Kind::terminal, ""};
  if (text == "none") return SeccompChoice{SeccompChoice::Kind::none, ""};
  if (text.empty()) return fail("seccomp: the value is empty; use default, tty, none, or the file of a profile");
  return SeccompChoice{SeccompChoice::Kind::file, std::string(text)};
}

Result<std::uint32_t> parse_id_base(std::string_view text, const char* what) {
  // A guest has 65536 ids from the base on. The highest 32-bit id must not be among them, because system calls take it
  // to mean "no id".
  constexpr std::uint64_t kHighest = 0xffffffffULL - 65536;
  return static_cast<std::uint32_t>(TRY(text::number(text, what, 1, kHighest)));
}

}  // namespace isolate
