#include "pool/based_range.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cstdint>

#include "base/text.h"
#include "linux/file.h"
#include "pool/member_range.h"
#include "pool/pool.h"

namespace isolate {
namespace {

constexpr const char* kRangeFile = "range";
constexpr std::size_t kLongestSubids = 16 << 20;

std::uint64_t last_id(std::uint32_t base) { return std::uint64_t{base} + kGuestIds - 1; }

bool overlaps(const IdRange& range, std::uint32_t base) {
  return base < std::uint64_t{range.base} + range.count && range.base <= last_id(base);
}

bool contains(const IdRange& range, std::uint32_t base) {
  return base >= range.base && last_id(base) < std::uint64_t{range.base} + range.count;
}

// A file that can't be read is an error and not an empty list, because it might assign the ids to somebody.
Result<std::vector<SubidEntry>> entries_of(const std::string& path) {
  auto text = read_file(path, kLongestSubids);
  if (!text && text.error().code() == ENOENT) return std::vector<SubidEntry>{};
  return all_subids(TRY(std::move(text)));
}

bool is_entry_of(const SubidEntry& entry, const std::string& name, std::uint32_t uid) {
  return entry.user == std::to_string(uid) || (!name.empty() && entry.user == name);
}

std::string other_holder_in(const std::string& path, std::uint32_t base, std::uint32_t caller,
                            const std::string& name) {
  const auto entries = entries_of(path);
  if (!entries) return fmt::format("an unknown user ({} can't be read)", path);
  for (const auto& entry : *entries) {
    const bool is_others = !is_entry_of(entry, "root", 0) && !is_entry_of(entry, name, caller);
    if (is_others && overlaps(entry.range, base)) return text::printable(entry.user);
  }
  return {};
}

bool assigns(const std::string& path, std::uint32_t base, std::uint32_t caller, const std::string& name) {
  const auto entries = entries_of(path);
  if (!entries) return false;
  return std::any_of(entries->begin(), entries->end(), [&](const SubidEntry& entry) {
    return is_entry_of(entry, name, caller) && contains(entry.range, base);
  });
}

Result<void> check_unused(std::uint32_t base, bool groups) {
  const auto name = owner_within({base, kGuestIds}, groups);
  if (base == 0 || !name.empty()) {
    return fail(fmt::format(
        "ids {} to {} would include the host's {} '{}'; choose a range above all users and groups of the host", base,
        last_id(base), groups ? "group" : "user", base == 0 ? "root" : name));
  }
  constexpr IdRange kLentByIsolate{kFirstRange, kRanges * kGuestIds};
  if (!overlaps(kLentByIsolate, base)) return {};
  return fail(fmt::format("ids {} to {} overlap those that isolate lends to runs and leases, {} to {}; choose others",
                          base, last_id(base), kLentByIsolate.base,
                          std::uint64_t{kLentByIsolate.base} + kLentByIsolate.count - 1));
}

}  // namespace

std::string describe(const BasedRange& range) {
  if (range.uid == range.gid) return fmt::format("{} to {}", range.uid, last_id(range.uid));
  return fmt::format("{} to {} (groups {} to {})", range.uid, last_id(range.uid), range.gid, last_id(range.gid));
}

Result<void> check_unused(const BasedRange& range) {
  TRY_VOID(check_unused(range.uid, false));
  return check_unused(range.gid, true);
}

std::string other_holder(const BasedRange& range, std::uint32_t caller, const IdFiles& files) {
  const auto name = user_name(caller);
  auto holder = other_holder_in(files.subuid, range.uid, caller, name);
  return holder.empty() ? other_holder_in(files.subgid, range.gid, caller, name) : holder;
}

Result<void> check_member_may_use(const BasedRange& range, const std::optional<BasedRange>& registered,
                                  std::uint32_t caller, const IdFiles& files) {
  const auto name = user_name(caller);
  const bool is_own = assigns(files.subuid, range.uid, caller, name) && assigns(files.subgid, range.gid, caller, name);
  if (!is_own && registered != range) {
    return fail(
        fmt::format("-u and -g: ids {} are not registered for this template, and /etc/subuid and "
                    "/etc/subgid do not assign them to you; as root: isolatectl pool range TEMPLATE {}",
                    describe(range), range.uid));
  }
  if (auto unused = check_unused(range); !unused) return fail(std::move(unused).error().within("-u and -g"));
  const auto holder = other_holder(range, caller, files);
  if (holder.empty()) return {};
  return fail(fmt::format("-u and -g: ids {} belong to {} in /etc/subuid or /etc/subgid", describe(range), holder));
}

Result<std::optional<BasedRange>> registered_range(const Pool& pool) {
  const auto path = pool.state_path(kRangeFile);
  auto read = read_file(path);
  if (!read && read.error().code() == ENOENT) return std::optional<BasedRange>();
  const auto content = TRY(std::move(read));
  const auto words = text::split(content.substr(0, content.find('\n')), ' ');
  if (words.size() != 2) return fail(path + ": two numbers are expected");
  BasedRange range;
  range.uid = static_cast<std::uint32_t>(TRY(text::number(words[0], path, 1, UINT32_MAX - kGuestIds)));
  range.gid = static_cast<std::uint32_t>(TRY(text::number(words[1], path, 1, UINT32_MAX - kGuestIds)));
  return std::optional(range);
}

Result<void> register_range(const Pool& pool, const std::optional<BasedRange>& range) {
  const auto path = pool.state_path(kRangeFile);
  if (!range) {
    if (::unlink(path.c_str()) != 0 && errno != ENOENT) return fail(errno, "remove " + path);
    return {};
  }
  TRY_VOID(check_unused(*range));
  const auto holder = other_holder(*range, 0);
  if (!holder.empty()) {
    return fail(fmt::format(
        "ids {} belong to {} in /etc/subuid or /etc/subgid; registering them would share them with all members",
        describe(*range), holder));
  }
  return replace_file(path, fmt::format("{} {}\n", range->uid, range->gid), 0600);
}

}  // namespace isolate
