#include "run/request.h"

#include <fmt/format.h>

#include <algorithm>

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

}  // namespace

Result<Bind> parse_bind(std::string_view text) {
  const auto parts = text::split(text, ':');
  const auto shown = text::printable(text);
  if (parts.size() < 2 || parts.size() > 3) return fail(fmt::format("bind '{}' is not HOST:TARGET[:ro]", shown));
  Bind bind{parts[0], parts[1], false};
  if (bind.source.empty()) return fail(fmt::format("bind '{}': HOST is empty", shown));
  if (!bind.target.starts_with('/')) return fail(fmt::format("bind '{}': TARGET must begin with '/'", shown));
  TRY_VOID(check_target(bind.target, shown));
  if (parts.size() == 3) {
    if (parts[2] != "ro" && parts[2] != "rw")
      return fail(fmt::format("bind '{}': '{}' is neither ro nor rw", shown, text::printable(parts[2])));
    bind.read_only = parts[2] == "ro";
  }
  return bind;
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
