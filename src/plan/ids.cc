#include "plan/ids.h"

#include <fmt/format.h>

#include <cstdint>

namespace isolate {
namespace {

IdMaps contiguous(std::uint32_t uid_base, std::uint32_t gid_base) {
  return {{{0, uid_base, kGuestIds}}, {{0, gid_base, kGuestIds}}};
}

Result<void> check_owned(const std::vector<IdMapEntry>& owned, std::uint32_t base, const char* file) {
  for (const auto& entry : owned) {
    if (entry.inside == 0) continue;  // the caller's own id
    if (base >= entry.outside && entry.count >= kGuestIds && base - entry.outside <= entry.count - kGuestIds) return {};
  }
  return fail(fmt::format("ids {} to {} are not yours in {}", base, base + kGuestIds - 1, file));
}

Result<IdPlan> plan_for_root(const RunRequest& request, const AvailableIds& ids, std::uint32_t root_owner) {
  IdPlan plan;
  if (request.userns == UsernsMode::single)
    return fail("--userns=single is for ordinary users; root has ranges of its own");
  if (uses_ids_of_host(request)) {
    plan.new_namespace = false;
    return plan;
  }
  if (ids.roots_own) {
    plan.maps = *ids.roots_own;
    plan.shares_own_ids = true;
    return plan;
  }
  if (const auto asked = asked_range(request)) {
    plan.maps = contiguous(asked->uid, asked->gid);
    // A template that belongs to this very range needs no mapping.
    plan.idmap_root = root_owner != asked->uid;
  } else {
    if (!ids.range) return fail("no range of ids for this run");
    plan.maps = contiguous(*ids.range, *ids.range);
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

// A private namespace contains only the caller's range, so the files of the root have to belong to that range.
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

Result<IdPlan> plan_for_user(const RunRequest& request, const Caller& caller, const OwnedIds& owned,
                             std::uint32_t root_owner) {
  IdPlan plan;
  if (request.userns == UsernsMode::single) {
    if (request.groups == GroupsMode::drop) {
      return fail("--groups=drop: with --userns=single the kernel lets nobody give groups up (user_namespaces(7))");
    }
    plan.maps = {{{0, caller.uid, 1}}, {{0, caller.gid, 1}}};
    plan.writer = MapWriter::self;
    return plan;
  }
  plan.writer = owned.writer;
  if (const auto asked = asked_range(request)) {
    TRY_VOID(check_owned(owned.maps.uid, asked->uid, "/etc/subuid"));
    TRY_VOID(check_owned(owned.maps.gid, asked->gid, "/etc/subgid"));
    if (request.directory.empty()) {
      return fail(
          "your own templates belong to you, not to a range: -u and -g go with -t, on a directory that belongs to it");
    }
    plan.maps = contiguous(asked->uid, asked->gid);
    return plan;
  }
  plan.maps = owned.maps;
  plan.nested_private = request.userns == UsernsMode::private_range;
  if (plan.nested_private) TRY_VOID(check_private(request, owned.maps, root_owner));
  return plan;
}

}  // namespace

std::optional<BasedRange> asked_range(const RunRequest& request) {
  if (!request.uid_base && !request.gid_base) return std::nullopt;
  const auto uid_base = request.uid_base.value_or(request.gid_base.value_or(0));
  return BasedRange{uid_base, request.gid_base.value_or(uid_base)};
}

bool uses_ids_of_host(const RunRequest& request) {
  return request.engine == EngineKind::chroot && request.userns == UsernsMode::automatic && !asked_range(request);
}

Result<IdPlan> plan_ids(const RunRequest& request, const Caller& caller, const AvailableIds& ids,
                        std::uint32_t root_owner) {
  if (caller.is_root()) return plan_for_root(request, ids, root_owner);
  return plan_for_user(request, caller, ids.owned, root_owner);
}

namespace {

// Id 0 of the namespace below is id `first` of the one above, and so on.
std::vector<IdMapEntry> nested_map(const std::vector<IdMapEntry>& above, std::uint32_t first) {
  std::vector<IdMapEntry> map;
  for (const auto& entry : above) {
    if (entry.inside >= first) map.push_back({entry.inside - first, entry.inside, entry.count});
  }
  return map;
}

}  // namespace

IdMaps nested_maps(const IdPlan& plan) {
  const unsigned first = plan.nested_private ? 1 : 0;
  return {nested_map(plan.maps.uid, first), nested_map(plan.maps.gid, first)};
}

}  // namespace isolate
