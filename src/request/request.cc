#include "request/request.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>

#include "base/text.h"

namespace isolate {

namespace {

Result<void> check_target(const std::string& target, const std::string& shown) {
  std::string first;
  for (const auto& name : text::split(target, '/')) {
    if (name == "." || name == "..") return fail(fmt::format("bind '{}': TARGET may not hold '{}'", shown, name));
    if (first.empty()) first = name;
  }
  if (first.empty()) return fail(fmt::format("bind '{}': TARGET can't be the root itself; use -t for that", shown));
  if (first == "proc") return fail(fmt::format("bind '{}': nothing can be bound below /proc", shown));
  return {};
}

// The last colon that separates: one behind a backslash belongs to a name. npos: there is none.
std::size_t last_separator(std::string_view text) {
  auto at = text.rfind(':');
  while (at != std::string_view::npos && at > 0 && text[at - 1] == '\\') at = text.rfind(':', at - 1);
  return at;
}

// "\:" is a colon; a backslash before anything else is itself.
std::string without_escapes(std::string_view text) {
  std::string plain;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '\\' && i + 1 < text.size() && text[i + 1] == ':') continue;
    plain += text[i];
  }
  return plain;
}

// HOST:TARGET, or HOST alone, which is shown at its own path.
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
      "bind '{}': a shell replaces '~/' only where a word begins with it; write $HOME/ instead (or ./~/)", shown));
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
        fmt::format("bind '{}': TARGET must begin with '/', and so must HOST where it stands alone; a colon in "
                    "a name is written '\\:'",
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
    return fail(fmt::format("environment: '{}' is not a name of a variable", text::printable(name)));
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
  if (text == "chroot") return EngineKind::chroot;
  return fail(fmt::format("engine '{}' is unknown; use bwrap, lxc or chroot", text::printable(text)));
}

const char* engine_name(EngineKind engine) {
  switch (engine) {
    case EngineKind::bwrap:
      return "bwrap";
    case EngineKind::lxc:
      return "lxc";
    case EngineKind::chroot:
      break;
  }
  return "chroot";
}

Result<UsernsMode> parse_userns(std::string_view text) {
  if (text == "auto") return UsernsMode::automatic;
  if (text == "private") return UsernsMode::private_range;
  if (text == "single") return UsernsMode::single;
  return fail(fmt::format("userns '{}' is none of auto, private, single", text::printable(text)));
}

Result<GroupsMode> parse_groups(std::string_view text) {
  if (text == "auto") return GroupsMode::automatic;
  if (text == "keep") return GroupsMode::keep;
  if (text == "drop") return GroupsMode::drop;
  return fail(fmt::format("groups '{}' is none of auto, keep, drop", text::printable(text)));
}

Result<SeccompChoice> parse_seccomp(std::string_view text) {
  if (text == "default") return SeccompChoice{SeccompChoice::Kind::standard, ""};
  if (text == "tty") return SeccompChoice{SeccompChoice::Kind::terminal, ""};
  if (text == "none") return SeccompChoice{SeccompChoice::Kind::none, ""};
  if (text.empty()) return fail("seccomp: give default, tty, none, or the file of a profile");
  return SeccompChoice{SeccompChoice::Kind::file, std::string(text)};
}

Result<std::uint32_t> parse_id_base(std::string_view text, const char* what) {
  // 65536 ids from the base on, and the last id of all, which means "none", is not among them.
  constexpr std::uint64_t kHighest = 0xffffffffULL - 65536;
  return static_cast<std::uint32_t>(TRY(text::number(text, what, 1, kHighest)));
}

}  // namespace isolate
