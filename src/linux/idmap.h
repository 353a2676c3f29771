// Id maps of user namespaces, and the ranges of ids that /etc/subuid and /etc/subgid assign to a user.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace isolate {

// The number of ids in a guest. The tools of every distribution expect 65536.
constexpr std::uint32_t kGuestIds = 65536;

// Maps `count` ids: id `inside`+N of the namespace is id `outside`+N of its parent namespace.
struct IdMapEntry {
  std::uint32_t inside = 0;
  std::uint32_t outside = 0;
  std::uint32_t count = 0;
  bool operator==(const IdMapEntry&) const = default;
};

struct IdMaps {
  std::vector<IdMapEntry> uid;
  std::vector<IdMapEntry> gid;
  bool operator==(const IdMaps&) const = default;
};

// Returns "0 1000 1, 1 100000 65535", for people and for plans.
std::string describe(const std::vector<IdMapEntry>& map);

// Parses the text of /proc/PID/uid_map or gid_map. Skips lines that are not three numbers.
std::vector<IdMapEntry> parse_id_map(std::string_view map);

// Returns the identity map of the ids below `count` for a namespace below the one whose map is `above`. The kernel
// rejects an entry that spans two entries of the parent's map, as in a container of an ordinary user, so the result has
// the same entries as `above`.
std::vector<IdMapEntry> identity_map(std::string_view above, std::uint32_t count);

struct IdRange {
  std::uint32_t base = 0;
  std::uint32_t count = 0;
  bool operator==(const IdRange&) const = default;
};

// Says how many consecutive ids from 0 on are mapped in this process's user namespace, and whether a whole range is.
// Both must hold for users and for groups (/proc/self/uid_map and gid_map).
struct OwnIds {
  std::uint64_t from_zero = 0;
  bool has_range = false;
};
OwnIds own_ids(const IdRange& range);
// The same for the text of one such map.
OwnIds own_ids_in(std::string_view map, const IdRange& range);

// A line NAME:BASE:COUNT or UID:BASE:COUNT of /etc/subuid or /etc/subgid (subuid(5)).
struct SubidEntry {
  std::string user;
  IdRange range;
};
// Parses all lines. Skips malformed lines, as newuidmap does.
std::vector<SubidEntry> all_subids(std::string_view text);
// Returns the ranges of one user.
std::vector<IdRange> parse_subids(std::string_view text, std::string_view user_name, std::uint32_t uid);

// Returns the name of a user from /etc/passwd or, through getent(1), from another source of the system. Returns "" if
// there is no such user.
std::string user_name(std::uint32_t uid);

// The home directory and primary group of a user, from the same sources; nothing if there is no such user.
struct UserEntry {
  std::string home;
  std::uint32_t group = 0;
};
std::optional<UserEntry> user_entry(std::uint32_t uid);

// Returns the id of the group `name` in /etc/group, if there is one.
std::optional<std::uint32_t> local_group_id(const std::string& name);
// The same, but also asks the other sources of the system through getent(1).
std::optional<std::uint32_t> group_id(const std::string& name);

// Returns the name of the first user in /etc/passwd, or group in /etc/group, whose id lies in the range; "" if there is
// none.
std::string owner_within(const IdRange& range, bool groups);

}  // namespace isolate
