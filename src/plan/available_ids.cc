#include "plan/available_ids.h"

#include <fmt/format.h>

#include <cstdint>

#include "base/log.h"
#include "linux/file.h"
#include "plan/ids.h"
#include "pool/member_range.h"

namespace isolate {
namespace {

// Takes a range that no other run of root has: each range has a file, and the run locks the first file that is free.
Result<std::uint32_t> take_range(FileLock* lock) {
  TRY_VOID(make_directories("/run/isolate", 0755));
  TRY_VOID(make_directories(kRangeLocks, 0700));
  const auto first = static_cast<unsigned>(::getpid()) % kRangesOfRoot;
  for (unsigned i = 0; i < kRangesOfRoot; ++i) {
    const unsigned slot = (first + i) % kRangesOfRoot;
    auto file = TRY(open_file(AT_FDCWD, fmt::format("{}/{}", kRangeLocks, slot), O_RDWR | O_CREAT, 0600));
    auto taken = FileLock::try_lock(std::move(file), FileLock::Mode::exclusive);
    if (!taken) continue;
    *lock = std::move(*taken);
    return kFirstRange + slot * kGuestIds;
  }
  return fail(fmt::format("all {} ranges of ids are in use by other runs", kRangesOfRoot));
}

// Root may use ids that belong to another user, but isolate warns: that user can kill and trace processes with these
// ids.
void warn_of_other_holder(const BasedRange& range) {
  const auto holder = other_holder(range, 0);
  if (holder.empty()) return;
  log::warning(
      fmt::format("ids {} belong to {} in /etc/subuid or /etc/subgid, who can kill and trace what runs with "
                  "them; take a range that nobody has",
                  describe(range), holder));
}

// Returns root's own ids in a container. A container often has only 65536 ids, so there are none left for ranges of
// runs.
Result<IdMaps> roots_own_ids(std::uint64_t count) {
  if (count < kGuestIds) {
    return fail(
        fmt::format("root has {} ids here (/proc/self/uid_map and gid_map) and a run needs {}; give the "
                    "container more, or use -e chroot, which does not isolate",
                    count, kGuestIds));
  }
  const auto uids = TRY(read_file("/proc/self/uid_map"));
  const auto gids = TRY(read_file("/proc/self/gid_map"));
  return IdMaps{identity_map(uids, kGuestIds), identity_map(gids, kGuestIds)};
}

Result<void> check_mapped(const IdRange& range) {
  if (own_ids(range).has_range) return {};
  return fail(fmt::format("ids {} to {} are not in this user namespace (/proc/self/uid_map and gid_map)", range.base,
                          range.base + range.count - 1));
}

// Checks the ids that -u and -g name.
Result<void> check_asked_for(const BasedRange& range) {
  TRY_VOID(check_unused(range));
  TRY_VOID(check_mapped({range.uid, kGuestIds}));
  TRY_VOID(check_mapped({range.gid, kGuestIds}));
  warn_of_other_holder(range);
  return {};
}

Result<AvailableIds> find_ids_of_root(const RunRequest& request, FileLock* range_lock) {
  AvailableIds ids;
  if (const auto asked = asked_range(request)) {
    TRY_VOID(check_asked_for(*asked));
    return ids;
  }
  if (request.userns == UsernsMode::single || uses_ids_of_host(request)) return ids;
  const auto own = own_ids({kFirstRange, kRangesOfRoot * kGuestIds});
  if (own.has_range) {
    ids.range = request.dry_run ? kFirstRange : TRY(take_range(range_lock));
  } else {
    ids.roots_own = TRY(roots_own_ids(own.from_zero));
  }
  return ids;
}

}  // namespace

Result<AvailableIds> find_ids(const RunRequest& request, OwnerNamespace* owner, FileLock* range_lock) {
  if (owner->caller().is_root()) return find_ids_of_root(request, range_lock);
  AvailableIds ids;
  if (request.userns == UsernsMode::single) return ids;
  ids.owned = owner->ids();
  if (!ids.owned.has_range()) return fail(advice_on_subids(owner->caller(), !request.lasting));
  return ids;
}

}  // namespace isolate
