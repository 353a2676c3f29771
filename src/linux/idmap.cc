#include "linux/idmap.h"

#include <fmt/format.h>
#include <grp.h>
#include <pwd.h>
#include <stdio.h>

#include <algorithm>
#include <cstdint>
#include <memory>

#include "base/text.h"
#include "linux/file.h"
#include "linux/process.h"

namespace isolate {
namespace {

constexpr std::uint64_t kMostIds = 0xffffffff;

struct FileCloser {
  void operator()(FILE* file) const { ::fclose(file); }
};
using File = std::unique_ptr<FILE, FileCloser>;

}  // namespace

std::string describe(const std::vector<IdMapEntry>& map) {
  std::vector<std::string> parts;
  for (const auto& entry : map) parts.push_back(fmt::format("{} {} {}", entry.inside, entry.outside, entry.count));
  return text::join(parts, ", ");
}

std::vector<IdMapEntry> parse_id_map(std::string_view map) {
  std::vector<IdMapEntry> entries;
  for (const auto& line : text::split(map, '\n')) {
    std::vector<std::uint32_t> numbers;
    for (const auto& word : text::split(line, ' ')) {
      if (word.empty()) continue;
      numbers.push_back(static_cast<std::uint32_t>(text::number(word, "id", 0, kMostIds).value_or(0)));
    }
    if (numbers.size() == 3) entries.push_back({numbers[0], numbers[1], numbers[2]});
  }
  return entries;
}

std::vector<IdMapEntry> identity_map(std::string_view above, std::uint32_t count) {
  std::vector<IdMapEntry> map;
  for (const auto& entry : parse_id_map(above)) {
    if (entry.inside >= count) continue;
    map.push_back({entry.inside, entry.inside, std::min(entry.count, count - entry.inside)});
  }
  const auto by_inside = [](const IdMapEntry& one, const IdMapEntry& other) { return one.inside < other.inside; };
  std::sort(map.begin(), map.end(), by_inside);
  return map;
}

OwnIds own_ids_in(std::string_view map, const IdRange& range) {
  OwnIds ids;
  for (const auto& entry : parse_id_map(map)) {
    const auto end = entry.inside + std::uint64_t{entry.count};
    if (entry.inside <= ids.from_zero) ids.from_zero = std::max(ids.from_zero, end);
    if (entry.inside <= range.base && range.base + std::uint64_t{range.count} <= end) ids.has_range = true;
  }
  return ids;
}

OwnIds own_ids(const IdRange& range) {
  // If the maps can't be read, assume that every id is mapped, as on a host: then a later mapping fails with an error
  // that says why.
  const auto uids = read_file("/proc/self/uid_map");
  const auto gids = read_file("/proc/self/gid_map");
  if (!uids || !gids) return {kMostIds, true};
  const auto users = own_ids_in(*uids, range);
  const auto groups = own_ids_in(*gids, range);
  return {std::min(users.from_zero, groups.from_zero), users.has_range && groups.has_range};
}

std::vector<SubidEntry> all_subids(std::string_view text) {
  std::vector<SubidEntry> entries;
  for (const auto& line : text::split(text, '\n')) {
    const auto fields = text::split(line, ':');
    if (fields.size() != 3 || fields[0].empty()) continue;
    auto base = text::number(fields[1], "base", 1, kMostIds - 1);
    auto count = text::number(fields[2], "count", 1, kMostIds);
    if (!base || !count || *base + *count > kMostIds) continue;
    const IdRange range{static_cast<std::uint32_t>(*base), static_cast<std::uint32_t>(*count)};
    entries.push_back({std::string(fields[0]), range});
  }
  return entries;
}

std::vector<IdRange> parse_subids(std::string_view text, std::string_view user_name, std::uint32_t uid) {
  std::vector<IdRange> ranges;
  const std::string uid_text = std::to_string(uid);
  for (const auto& entry : all_subids(text)) {
    if (entry.user == user_name || entry.user == uid_text) ranges.push_back(entry.range);
  }
  return ranges;
}

std::string user_name(std::uint32_t uid) {
  // Read the file with fgetpwent: getpwuid would load the modules of nsswitch.conf, which a static program can't do.
  if (File file(::fopen("/etc/passwd", "re")); file) {
    while (const passwd* entry = ::fgetpwent(file.get())) {
      if (entry->pw_uid == uid) return entry->pw_name;
    }
  }
  auto asked = run_program({"getent", "passwd", std::to_string(uid)});
  if (!asked || !asked->status.success()) return {};
  return asked->out.substr(0, asked->out.find(':'));
}

std::optional<UserEntry> user_entry(std::uint32_t uid) {
  if (File file(::fopen("/etc/passwd", "re")); file) {
    while (const passwd* entry = ::fgetpwent(file.get())) {
      if (entry->pw_uid == uid) return UserEntry{entry->pw_dir, entry->pw_gid};
    }
  }
  const auto asked = run_program({"getent", "passwd", std::to_string(uid)});
  if (!asked || !asked->status.success()) return std::nullopt;
  constexpr std::size_t kGroup = 3;
  constexpr std::size_t kHome = 5;
  const auto fields = text::split(asked->out.substr(0, asked->out.find('\n')), ':');
  const auto group = text::number(fields.size() > kHome ? fields[kGroup] : "", "gid", 0, kMostIds);
  if (!group) return std::nullopt;
  return UserEntry{fields[kHome], static_cast<std::uint32_t>(*group)};
}

namespace {

// Parses the id in a line NAME:PASSWORD:GID:MEMBERS.
std::optional<std::uint32_t> gid_in(const std::string& line) {
  const auto fields = text::split(line, ':');
  if (fields.size() < 3) return std::nullopt;
  const auto gid = text::number(fields[2], "gid", 0, kMostIds);
  if (!gid) return std::nullopt;
  return static_cast<std::uint32_t>(*gid);
}

}  // namespace

std::optional<std::uint32_t> local_group_id(const std::string& name) {
  // Read the file as a whole: fgetgrent(3) makes a system call for its position at each line, and the daemon calls this
  // for every connection.
  constexpr std::size_t kMost = 1 << 26;
  const auto file = read_file("/etc/group", kMost);
  if (!file) return std::nullopt;
  for (const auto& line : text::split(*file, '\n')) {
    if (line.starts_with(name + ":")) return gid_in(line);
  }
  return std::nullopt;
}

std::optional<std::uint32_t> group_id(const std::string& name) {
  if (auto gid = local_group_id(name)) return gid;
  auto asked = run_program({"getent", "group", name});
  if (!asked || !asked->status.success()) return std::nullopt;
  return gid_in(asked->out.substr(0, asked->out.find('\n')));
}

std::string owner_within(const IdRange& range, bool groups) {
  auto within = [&range](std::uint32_t id) { return id >= range.base && id - range.base < range.count; };
  File file(::fopen(groups ? "/etc/group" : "/etc/passwd", "re"));
  if (!file) return {};
  if (groups) {
    while (const group* entry = ::fgetgrent(file.get())) {
      if (within(entry->gr_gid)) return entry->gr_name;
    }
  } else {
    while (const passwd* entry = ::fgetpwent(file.get())) {
      if (within(entry->pw_uid)) return entry->pw_name;
    }
  }
  return {};
}

}  // namespace isolate
