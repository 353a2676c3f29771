#include "plan/ids.h"

#include <fmt/format.h>

#include "base/log.h"
#include "base/text.h"
#include "linux/file.h"
#include "pool/based_range.h"
#include "pool/member_range.h"

namespace isolate {
namespace {

IdMaps contiguous(std::uint32_t uid_base, std::uint32_t gid_base) {
  return {{{0, uid_base, kGuestIds}}, {{0, gid_base, kGuestIds}}};
}

// A range that no other run of root has: the one whose file can be locked.
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

// Root may share the ids of another user, but not without knowing it: that user can kill what runs with them.
void warn_of_other_holder(const BasedRange& range) {
  const auto holder = other_holder(range, 0);
  if (holder.empty()) return;
  log::warning(
      fmt::format("ids {} belong to {} in /etc/subuid or /etc/subgid, who can kill and trace what runs with "
                  "them; take a range that nobody has",
                  describe(range), holder));
}

Result<void> check_owned(const std::vector<IdMapEntry>& owned, std::uint32_t base, const char* file) {
  for (const auto& entry : owned) {
    if (entry.inside == 0) continue;  // the caller himself
    if (base >= entry.outside && entry.count >= kGuestIds && base - entry.outside <= entry.count - kGuestIds) return {};
  }
  return fail(fmt::format("ids {} to {} are not yours in {}", base, base + kGuestIds - 1, file));
}

// Root of a container has the ids that it was given, often 65536, and no range for runs.
Result<IdPlan> plan_with_own_ids(std::uint64_t count) {
  if (count < kGuestIds) {
    return fail(
        fmt::format("root has {} ids here (/proc/self/uid_map and gid_map) and a run needs {}; give the "
                    "container more, or use -e chroot, which does not isolate",
                    count, kGuestIds));
  }
  IdPlan plan;
  plan.maps.uid = identity_map(TRY(read_file("/proc/self/uid_map")), kGuestIds);
  plan.maps.gid = identity_map(TRY(read_file("/proc/self/gid_map")), kGuestIds);
  plan.shares_own_ids = true;
  return plan;
}

Result<void> check_mapped(const IdRange& range) {
  if (own_ids(range).has_range) return {};
  return fail(fmt::format("ids {} to {} are not in this user namespace (/proc/self/uid_map and gid_map)", range.base,
                          range.base + range.count - 1));
}

Result<IdPlan> plan_for_root(const RunRequest& request, std::uint32_t root_owner) {
  IdPlan plan;
  const bool asked = request.uid_base || request.gid_base;
  if (request.userns == UsernsMode::single)
    return fail("--userns=single is for ordinary users; root has ranges of its own");
  if (request.engine == EngineKind::chroot && !asked && request.userns == UsernsMode::automatic) {
    plan.new_namespace = false;
    return plan;
  }
  if (asked) {
    const auto uid_base = request.uid_base.value_or(request.gid_base.value_or(0));
    const auto gid_base = request.gid_base.value_or(uid_base);
    TRY_VOID(check_unused(BasedRange{uid_base, gid_base}));
    TRY_VOID(check_mapped({uid_base, kGuestIds}));
    TRY_VOID(check_mapped({gid_base, kGuestIds}));
    warn_of_other_holder({uid_base, gid_base});
    plan.maps = contiguous(uid_base, gid_base);
    // A template that belongs to this very range needs no mapping.
    plan.idmap_root = root_owner != uid_base;
  } else if (const auto own = own_ids({kFirstRange, kRangesOfRoot * kGuestIds}); !own.has_range) {
    return plan_with_own_ids(own.from_zero);
  } else {
    const auto base = request.dry_run ? kFirstRange : TRY(take_range(&plan.range_lock));
    plan.maps = contiguous(base, base);
    plan.idmap_root = true;
  }
  plan.idmap_binds = true;
  return plan;
}

std::uint64_t mapped_ids(const std::vector<IdMapEntry>& map) {
  std::uint64_t count = 0;
  for (const auto& entry : map) count += entry.count;
  return count;
}

// The private namespace's ids are those of the caller's range, which the root has to belong to.
Result<void> check_private(const RunRequest& request, const IdMaps& owned, std::uint32_t root_owner) {
  if (mapped_ids(owned.uid) <= kGuestIds || mapped_ids(owned.gid) <= kGuestIds) {
    return fail(fmt::format("--userns=private needs {} ids of your own in /etc/subuid and /etc/subgid", kGuestIds));
  }
  if (!request.directory.empty() && root_owner != owned.uid[1].outside) {
    return fail(fmt::format("--userns=private needs a directory that belongs to your range: '/' of it to id {}, not {}",
                            owned.uid[1].outside, root_owner));
  }
  return {};
}

Result<IdPlan> plan_for_user(const RunRequest& request, OwnerNamespace* owner, std::uint32_t root_owner) {
  IdPlan plan;
  const auto& caller = owner->caller();
  if (request.userns == UsernsMode::single) {
    if (request.groups == GroupsMode::drop) {
      return fail("--groups=drop: with --userns=single the kernel lets nobody give groups up (user_namespaces(7))");
    }
    plan.maps = {{{0, caller.uid, 1}}, {{0, caller.gid, 1}}};
    plan.writer = MapWriter::self;
    return plan;
  }
  const auto& owned = owner->ids();
  if (!owned.has_range()) return fail(advice_on_subids(caller, !request.lasting));
  plan.writer = owned.writer;
  if (request.uid_base || request.gid_base) {
    const auto uid_base = request.uid_base.value_or(request.gid_base.value_or(0));
    const auto gid_base = request.gid_base.value_or(uid_base);
    TRY_VOID(check_owned(owned.maps.uid, uid_base, "/etc/subuid"));
    TRY_VOID(check_owned(owned.maps.gid, gid_base, "/etc/subgid"));
    if (request.directory.empty()) {
      return fail(
          "your own templates belong to you, not to a range: -u and -g go with -t, on a directory that belongs to it");
    }
    plan.maps = contiguous(uid_base, gid_base);
    return plan;
  }
  plan.maps = owned.maps;
  plan.nested_private = request.userns == UsernsMode::private_range;
  if (plan.nested_private) TRY_VOID(check_private(request, owned.maps, root_owner));
  return plan;
}

}  // namespace

Result<IdPlan> plan_ids(const RunRequest& request, OwnerNamespace* owner, std::uint32_t root_owner) {
  if (owner->caller().is_root()) return plan_for_root(request, root_owner);
  return plan_for_user(request, owner, root_owner);
}

}  // namespace isolate
