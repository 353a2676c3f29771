// Id maps of user namespaces, and the ranges of ids that /etc/subuid and /etc/subgid give to a user.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace isolate {

// Ids in a guest: what every distribution's tools take for granted.
constexpr std::uint32_t kGuestIds = 65536;

// `count` ids from `inside` on are the ids from `outside` on, seen from the parent namespace.
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

// "0 1000 1, 1 100000 65535": for people and for plans.
std::string describe(const std::vector<IdMapEntry>& map);

// The entries in the text of /proc/PID/uid_map or gid_map. Lines of another form are passed over.
std::vector<IdMapEntry> parse_id_map(std::string_view map);

// For a namespace below the one that has the map: the ids below `count`, each as itself. An entry may not span two
// entries of the map above, which a container of an ordinary user's has.
std::vector<IdMapEntry> identity_map(std::string_view above, std::uint32_t count);

struct IdRange {
  std::uint32_t base = 0;
  std::uint32_t count = 0;
  bool operator==(const IdRange&) const = default;
};

// How many ids from 0 on this process's user namespace has, and whether it has a range whole. The kernel's maps, as
// /proc/self/uid_map and gid_map have them.
struct OwnIds {
  std::uint64_t from_zero = 0;
  bool has_range = false;
};
OwnIds own_ids(const IdRange& range);
// Of the text of one such map.
OwnIds own_ids_in(std::string_view map, const IdRange& range);

// A line NAME:BASE:COUNT or UID:BASE:COUNT of /etc/subuid or /etc/subgid (subuid(5)).
struct SubidEntry {
  std::string user;
  IdRange range;
};
// Lines that are not of this form are passed over, as newuidmap does.
std::vector<SubidEntry> all_subids(std::string_view text);
// The ranges of one user.
std::vector<IdRange> parse_subids(std::string_view text, std::string_view user_name, std::uint32_t uid);

// Name of a user of /etc/passwd, or of another source of the system's (asked through getent); empty where there is
// none.
std::string user_name(std::uint32_t uid);

// A user's home and primary group by the same sources; nothing where there is no such user.
struct UserEntry {
  std::string home;
  std::uint32_t group = 0;
};
std::optional<UserEntry> user_entry(std::uint32_t uid);

// The group of exactly this name in /etc/group.
std::optional<std::uint32_t> local_group_id(const std::string& name);
// The same, or in another source of the system's (asked through getent).
std::optional<std::uint32_t> group_id(const std::string& name);

// The first user or group (of /etc/passwd or /etc/group) whose id lies in the range; empty if none.
std::string owner_within(const IdRange& range, bool groups);

}  // namespace isolate
