// org.isolate.Manager.Lease
#include <fcntl.h>
#include <fmt/format.h>
#include <time.h>

#include <algorithm>
#include <cstdint>
#include <nlohmann/json.hpp>

#include "base/fault.h"
#include "base/log.h"
#include "isolated/calls.h"
#include "isolated/handover.h"
#include "limits/cgroup.h"
#include "limits/lease_group.h"
#include "limits/limit_group.h"
#include "linux/caller.h"
#include "linux/file.h"
#include "pool/based_range.h"
#include "pool/lease.h"
#include "pool/member_range.h"
#include "pool/registered.h"

namespace isolate {
namespace {

using wire::Json;

Result<Fd> duplicate(int descriptor) {
  const int copy = ::fcntl(descriptor, F_DUPFD_CLOEXEC, 3);
  if (copy < 0) return fail(errno, "dup");
  return Fd(copy);
}

// Checks whether the peer may use the range of ids that they ask for. That the template's files belong to the range
// gives no such right.
Result<void> check_range(const wire::LeaseRequest& request, const TemplatePlace& place, const Peer& peer) {
  if (!request.uid_base) return {};
  const auto registered = TRY(registered_range(Pool(place.store.get(), place.name)));
  return check_member_may_use({*request.uid_base, *request.gid_base}, registered, peer.uid);
}

// Returns the maps for a range that the peer asked for. The mount is not id-mapped then, so the template's files have
// to belong to the range.
Result<IdMaps> based_maps(const wire::LeaseRequest& request, const RootSource& root) {
  const auto top = TRY(status_of_root(root));
  const auto uid = *request.uid_base;
  const auto gid = *request.gid_base;
  if (top.st_uid != uid || top.st_gid != gid) {
    return fail(fmt::format("the template belongs to {}:{} and not to the range asked for with -u and -g", top.st_uid,
                            top.st_gid));
  }
  return IdMaps{{{0, uid, kGuestIds}}, {{0, gid, kGuestIds}}};
}

// Returns the limits of the lease's control group. It limits the number of processes if the guest's user namespace does
// not. If there is no group tree or no controller for that, isolate warns about it.
Result<GroupLimits> limits_of(const wire::LeaseRequest& request, wire::Nested nested) {
  auto limits = request.limits;
  if (!request.nested || !request.nested->processes || nested == wire::Nested::below) return limits;
  const auto tree = group_tree();
  if (!tree) return limits;
  GroupLimits counted;
  counted.processes = *request.nested->processes;
  if (!TRY(available_limits(*tree, counted)).processes) return limits;
  limits.processes = std::min(limits.processes.value_or(UINT64_MAX), *counted.processes);
  return limits;
}

// Makes the control group with the limits. Call it before this process enters other namespaces. Whatever happens to
// this process, the group is removed after the lease has ended.
Result<std::string> make_group(const Lease& lease, const wire::LeaseRequest& request, const GroupLimits& limits,
                               uid_t uid, const IdMaps& maps) {
  const auto tree = group_tree();
  if (!tree) return fail("limits are not supported for a clone leased from the daemon: " + no_group_tree());
  const auto alone = TRY(lock_groups());
  auto group = TRY(LimitGroup::make(*tree, lease_group_name(lease.id()), limits));
  TRY_VOID(set_lease_of_group(group.path(), {uid, TRY(path_of_descriptor(lease.lock_descriptor()))}));
  const auto path = group.path();
  // An init makes groups of its own there, as root of the guest.
  if (request.engine == "lxc") {
    TRY_VOID(give_control_group(guest_part(path), maps.uid.front().outside, maps.gid.front().outside));
  }
  group.disown();
  return path;
}

Result<std::uint64_t> inode_of(const Fd& file) { return TRY(status_of(file.get(), "", AT_EMPTY_PATH)).st_ino; }

Result<Answer> lease_to(const CallContext& context, const wire::LeaseRequest& request, MemberRange range,
                        const TemplatePlace& place) {
  const auto& peer = context.peer;
  Pool pool(place.store.get(), place.name);
  LeaseInfo info;
  info.engine = request.engine;
  info.user = std::to_string(peer.uid);
  info.pid = peer.pid;
  info.since = ::time(nullptr);
  info.waits = request.waits;
  auto lease = TRY(Lease::take(&pool, std::move(info)));
  TRY_VOID(lend_range(range, pool, lease.id()));
  TRY_VOID(fault_point("lease-taken"));
  const bool is_based = request.uid_base.has_value();
  const auto maps =
      is_based ? TRY(based_maps(request, lease.root())) : member_maps(peer, range.base, request.private_ids);
  auto namespaces = TRY(make_lease_namespaces(peer, maps, request.nested));
  const auto limits = TRY(limits_of(request, namespaces.nested));
  std::string group;
  if (limits.any()) group = TRY(make_group(lease, request, limits, peer.uid, maps));
  const auto info_file = TRY(lease.open_info());
  auto handover =
      TRY(prepare_handover(peer, namespaces, lease.root(), is_based ? Mapping::as_they_are : Mapping::id_mapped));
  TRY_VOID(lease.set_user_namespaces(info_file, TRY(inode_of(namespaces.user_namespace)),
                                     namespaces.guest ? TRY(inode_of(namespaces.guest)) : 0));
  TRY_VOID(fault_point("lease-prepared"));

  const wire::LeaseReply reply{
      lease.id(), place.name, place.store->description(), lease.generation().number, handover.read_only,
      maps,       group,      namespaces.nested};
  Answer answer{"", wire::to_json(reply).dump(), {}, true};
  answer.descriptors.resize(descriptors_of(reply));
  answer.descriptors[wire::kUserNamespace] = std::move(namespaces.user_namespace);
  answer.descriptors[wire::kMountNamespace] = std::move(handover.mount_namespace);
  answer.descriptors[wire::kLeaseLock] = TRY(duplicate(lease.lock_descriptor()));
  answer.descriptors[wire::kRangeLock] = TRY(duplicate(range.lock.fd()));
  if (namespaces.guest) answer.descriptors[wire::kNestedUserNamespace] = std::move(namespaces.guest);
  if (handover.guest_mount_namespace) {
    answer.descriptors[wire::kNestedMountNamespace] = std::move(handover.guest_mount_namespace);
  }
  log::info(fmt::format("leased {} of {} to uid {}, pid {}", lease.id(), place.name, peer.uid, peer.pid));
  return answer;
}

Answer close_after(Answer answer) {
  answer.is_last = true;
  return answer;
}

}  // namespace

Answer call_lease(const CallContext& context, const Json& parameters) {
  const auto& peer = context.peer;
  if (peer.is_root())
    return error_answer("PermissionDenied", "only members lease clones; root uses the stores directly");
  const auto request = wire::lease_request_from(parameters);
  if (!request) return error_answer("InvalidParameter", request.error().message());
  OwnerNamespace owner(Caller::current());
  const auto place = find_registered_template(request->template_name, context.settings.store, &owner);
  if (!place) return error_answer("NoSuchTemplate", place.error().message());
  if (const auto may = check_range(*request, *place, peer); !may) {
    log::warning(fmt::format("lease of {} to uid {}: {}", place->name, peer.uid, may.error().message()));
    return error_answer("Failed", may.error().message());
  }
  auto range = acquire_member_range(peer.uid);
  if (!range && range.error().code() == EDQUOT) return error_answer("TooManyLeases", range.error().context());
  if (!range) return close_after(error_answer("Failed", range.error().message()));
  auto answer = lease_to(context, *request, std::move(*range), *place);
  if (answer) return std::move(*answer);
  log::warning(fmt::format("lease of {} to uid {}: {}", place->name, peer.uid, answer.error().message()));
  return close_after(error_answer("Failed", answer.error().message()));
}

Answer call_get_generation(const CallContext& context, const Json& parameters) {
  const auto request = wire::lease_request_from(parameters);
  if (!request) return error_answer("InvalidParameter", request.error().message());
  OwnerNamespace owner(Caller::current());
  const auto place = find_registered_template(request->template_name, context.settings.store, &owner);
  if (!place) return error_answer("NoSuchTemplate", place.error().message());
  if (const auto may = check_range(*request, *place, context.peer); !may) {
    return error_answer("Failed", may.error().message());
  }
  const auto newest = place->store->generation_for_runs(place->name);
  if (!newest) return error_answer("Failed", newest.error().message());
  return Answer{"",
                wire::to_json(wire::GenerationReply{place->name, place->store->description(), newest->number}).dump(),
                {},
                false};
}

}  // namespace isolate
