#include "share/guest_user.h"

#include <fmt/format.h>

#include <cstdint>
#include <optional>
#include <vector>

#include "base/text.h"

namespace isolate {
namespace {

constexpr std::size_t kName = 0;
constexpr std::size_t kId = 2;
constexpr std::size_t kLongestName = 64;

// The name in the first line of the file with that id; nothing if there is no such line.
std::optional<std::string> name_of(std::string_view file, std::uint32_t id) {
  for (const auto& line : text::split(file, '\n')) {
    const auto fields = text::split(line, ':');
    if (fields.size() > kId && fields[kId] == std::to_string(id)) return fields[kName];
  }
  return std::nullopt;
}

// The lines of the file, without those that have this name or id.
std::string without(std::string_view file, std::string_view name, std::uint32_t id) {
  std::string kept;
  for (const auto& line : text::split(file, '\n')) {
    if (line.empty()) continue;
    const auto fields = text::split(line, ':');
    if (fields[kName] == name || (fields.size() > kId && fields[kId] == std::to_string(id))) continue;
    kept += line + '\n';
  }
  return kept;
}

}  // namespace

Result<GuestUser> guest_user(const Caller& caller) {
  if (caller.is_root()) return GuestUser{"root", 0, 0, "/root"};
  GuestUser user{caller.name(), caller.uid, caller.gid, ""};
  if (!text::is_name(user.name, kLongestName)) {
    return fail(fmt::format("your user name '{}' can't be the name of a home directory", text::printable(user.name)));
  }
  user.home = "/home/" + user.name;
  return user;
}

std::string passwd_text(std::string_view of_root, const GuestUser& user) {
  return fmt::format("{}{}:x:{}:{}::{}:/bin/sh\n", without(of_root, user.name, user.uid), user.name, user.uid, user.gid,
                     user.home);
}

std::string group_text(std::string_view of_root, std::string_view of_host, const GuestUser& user) {
  const auto known = name_of(of_root, user.gid);
  const auto name = known ? *known : name_of(of_host, user.gid).value_or(user.name);
  return fmt::format("{}{}:x:{}:\n", without(of_root, name, user.gid), name, user.gid);
}

}  // namespace isolate
