#include "linux/caller.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <cstdlib>

#include "linux/file.h"

namespace isolate {
namespace {

std::vector<IdMapEntry> with_range(std::uint32_t own, const std::vector<IdRange>& ranges) {
  std::vector<IdMapEntry> map = {{0, own, 1}};
  std::uint32_t next = 1;
  for (const auto& range : ranges) {
    // One more id than a guest has, because id 0 is the caller: ids 1 to 65536 leave room for a nested namespace of
    // 65536 ids.
    const auto count = std::min(range.count, kGuestIds + 1 - next);
    if (count == 0) break;
    map.push_back({next, range.base, count});
    next += count;
  }
  return map;
}

std::vector<IdRange> ranges_in(const char* path, const std::string& name, std::uint32_t uid) {
  auto text = read_file(path, 16 << 20);
  if (!text) return {};
  return parse_subids(*text, name, uid);
}

}  // namespace

Caller Caller::current() { return {::getuid(), ::getgid()}; }

std::string Caller::name() const {
  auto found = user_name(uid);
  return found.empty() ? std::to_string(uid) : found;
}

std::string Caller::home() const {
  const char* value = std::getenv("HOME");
  if (value != nullptr && *value == '/') return value;
  const auto entry = user_entry(uid);
  return entry && entry->home.starts_with('/') ? entry->home : "";
}

OwnedIds owned_ids(const Caller& caller) {
  const std::string name = user_name(caller.uid);
  const auto uids = ranges_in("/etc/subuid", name, caller.uid);
  const auto gids = ranges_in("/etc/subgid", name, caller.uid);
  if (uids.empty() || gids.empty()) {
    return {{{{0, caller.uid, 1}}, {{0, caller.gid, 1}}}, MapWriter::self};
  }
  return {{with_range(caller.uid, uids), with_range(caller.gid, gids)}, MapWriter::newuidmap};
}

namespace {

bool overlaps(const IdRange& one, const IdRange& other) {
  return one.base < other.base + std::uint64_t{other.count} && other.base < one.base + std::uint64_t{one.count};
}

// The first of 65536 consecutive ids that no user, no group and no line of /etc/subuid and /etc/subgid uses. The bounds
// are those that useradd(8) uses by default.
std::uint32_t first_free_range() {
  constexpr std::uint32_t kFirst = 100'000;
  constexpr std::uint32_t kLast = 600'100'000;
  std::vector<IdRange> taken;
  for (const char* path : {"/etc/subuid", "/etc/subgid"}) {
    const auto text = read_file(path, 16 << 20);
    for (const auto& entry : text ? all_subids(*text) : std::vector<SubidEntry>{}) taken.push_back(entry.range);
  }
  IdRange range{kFirst, kGuestIds};
  for (; range.base < kLast; range.base += kGuestIds) {
    const auto overlaps_it = [&range](const IdRange& other) { return overlaps(range, other); };
    if (std::any_of(taken.begin(), taken.end(), overlaps_it)) continue;
    if (owner_within(range, false).empty() && owner_within(range, true).empty()) break;
  }
  return range.base;
}

}  // namespace

std::string advice_on_subids(const Caller& caller, bool may_do_without) {
  const auto first = first_free_range();
  auto advice = fmt::format(
      "user {0} has no range of ids in /etc/subuid and /etc/subgid; root can give one that is free: usermod "
      "--add-subuids {1}-{2} --add-subgids {1}-{2} {0}",
      caller.name(), first, first + kGuestIds - 1);
  if (may_do_without) advice += "; or run with --userns=single: one id, so no chown and no other users inside";
  return advice;
}

const OwnedIds& OwnerNamespace::ids() {
  if (!ids_) ids_ = owned_ids(caller_);
  return *ids_;
}

void OwnerNamespace::begin() {
  if (caller_.is_root() || descriptor_ || pending_) return;
  pending_ = PendingUserNamespace::start(ids().maps, ids().writer);
}

Result<int> OwnerNamespace::descriptor() {
  if (caller_.is_root()) return -1;
  if (descriptor_) return descriptor_.get();
  begin();
  auto pending = std::move(*pending_);
  pending_.reset();
  descriptor_ = TRY(TRY(std::move(pending)).finish());
  return descriptor_.get();
}

Result<void> OwnerNamespace::run(const std::function<Result<void>()>& body) {
  return run_as_root_in(TRY(descriptor()), body);
}

}  // namespace isolate
