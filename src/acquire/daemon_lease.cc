#include "acquire/daemon_lease.h"

#include <fmt/format.h>
#include <unistd.h>

#include <nlohmann/json.hpp>

#include "base/log.h"
#include "base/text.h"
#include "launch/root_builder.h"
#include "limits/lease_group.h"
#include "linux/idmap.h"
#include "linux/userns_switches.h"
#include "request/store_path.h"
#include "store/open.h"

namespace isolate {
namespace {

bool names_other_store(const std::string& asked) {
  return asked.find('/') != std::string::npos || asked.starts_with("zfs:") || asked.starts_with("btrfs:");
}

Result<bool> own_store_has(const std::string& asked, const std::string& path, OwnerNamespace* owner) {
  auto store = open_store(path, owner, MissingStore::refuse);
  if (!store) return false;  // he has none, ignoring: whoever then finds nothing elsewhere tells of it
  return (*store)->has_template(TRY(name_in_store(asked, **store)));
}

Result<void> check_request(const RunRequest& request) {
  const auto refused = [](const std::string& what, const std::string& advice) {
    return fail(Error(what + " is not to be had with a clone of the daemon's").advise(advice));
  };
  if (request.dry_run) return refused("--dry-run", "it plans a run only once the clone is there");
  if (request.keep) return refused("--keep", "copy what is to stay out of it: -d");
  if (request.userns == UsernsMode::single) return refused("--userns=single", "leave it out: no ids of yours are used");
  const bool knows_caller = request.userns != UsernsMode::private_range && !request.uid_base && !request.gid_base;
  if (!knows_caller && !(request.pre_hook.empty() && request.post_hook.empty())) {
    return refused("a hook with --userns=private, -u or -g", "hooks run as you, whom such a namespace does not know");
  }
  return {};
}

std::vector<std::string> names_in_own_store(const Caller& caller) {
  OwnerNamespace owner(caller);
  const auto path = store_path("", caller);
  if (!path) return {};
  auto store = open_store(*path, &owner, MissingStore::refuse);
  return store ? template_names(**store) : std::vector<std::string>();
}

std::vector<std::string> names_of_daemon() {
  std::vector<std::string> names;
  auto client = wire::Client::connect();
  if (!client) return names;
  const auto answer = client->call("ListTemplates", wire::Json::object());
  if (!answer) return names;
  const auto list = answer->find("templates");
  if (list == answer->end() || !list->is_array()) return names;
  for (const auto& row : *list) names.push_back(row.value("name", ""));
  return names;
}

// What the daemon has to do with a template that the user's own store lacks: nothing where there is none, and the user
// is in no group that could have one.
std::string clause_on_daemon(const wire::CallError& reason, const std::string& name) {
  switch (reason.refusal) {
    case wire::Refusal::not_a_member:
      return "; you are not a member of the group isolate, to whom root's templates are leased: usermod -aG isolate "
             "USER";
    case wire::Refusal::no_such_template:
      return fmt::format("; root gives members one of its own by isolate -r {} 5", text::printable(name));
    case wire::Refusal::unreachable: {
      const auto group = group_id("isolate");
      const bool is_member = group && ::group_member(*group) == 1;
      return is_member ? "; the daemon isolated, which leases root's templates to you, does not run: systemctl start "
                         "isolated.socket"
                       : "";
    }
    default:
      return "; " + reason.message;
  }
}

Error no_template(const RunRequest& request, const Caller& caller, const wire::CallError& reason) {
  // Only the daemon has one there.
  if (names_other_store(request.template_name)) return Error(reason.message);
  auto names = names_in_own_store(caller);
  if (reason.refusal == wire::Refusal::no_such_template) {
    for (auto& name : names_of_daemon()) names.push_back(std::move(name));
  }
  return Error(missing_template(request.template_name, "", std::move(names)).message() +
               clause_on_daemon(reason, request.template_name));
}

}  // namespace

Result<bool> DaemonLease::is_wanted(const RunRequest& request, OwnerNamespace* owner) {
  if (owner->caller().is_root() || !request.store.empty() || !request.directory.empty()) return false;
  TRY_VOID(check_template_reference(request.template_name));
  if (names_other_store(request.template_name)) return true;
  const auto path = store_path("", owner->caller());
  if (path && TRY(own_store_has(request.template_name, *path, owner))) return false;
  return true;
}

namespace {

// What the launcher would do itself, if the caller could make a user namespace.
std::optional<wire::NestedRequest> nested_request(const RunRequest& request) {
  wire::NestedRequest nested;
  nested.locks_mounts = locks_mounts(request);
  const auto limit = planned_process_limit(request);
  if (limit != kUnlimited) nested.processes = limit;
  if (!nested.locks_mounts && !nested.processes) return std::nullopt;
  return nested;
}

}  // namespace

Result<DaemonLease::Asked> DaemonLease::ask(const RunRequest& request, const GroupLimits& limits,
                                            const Caller& caller) {
  auto client = wire::Client::connect();
  if (!client) return fail(no_template(request, caller, client.error()));
  TRY_VOID(check_request(request));
  wire::LeaseRequest wanted;
  wanted.template_name = request.template_name;
  wanted.private_ids = request.userns == UsernsMode::private_range;
  if (request.uid_base || request.gid_base) {
    wanted.uid_base = request.uid_base ? request.uid_base : request.gid_base;
    wanted.gid_base = request.gid_base ? request.gid_base : request.uid_base;
  }
  wanted.engine = engine_name(request.engine);
  wanted.limits = limits;
  auto reason = isolate::reason_against_user_namespaces();
  if (!reason.empty()) wanted.nested = nested_request(request);
  client->send("Lease", wire::to_json(wanted));
  return Asked{std::move(*client), std::move(wanted), std::move(reason)};
}

Result<DaemonLease> DaemonLease::receive(Asked asked, const RunRequest& request, const Caller& caller) {
  const auto parameters = asked.client.receive();
  if (!parameters) {
    const bool is_unknown = parameters.error().refusal == wire::Refusal::no_such_template;
    return fail(is_unknown ? no_template(request, caller, parameters.error()) : Error(parameters.error().message));
  }
  auto reply = TRY(wire::lease_reply_from(*parameters));
  auto descriptors = asked.client.take_descriptors();
  if (descriptors.size() != descriptors_of(reply)) {
    return fail(fmt::format("isolated sent {} descriptors instead of {}", descriptors.size(), descriptors_of(reply)));
  }
  // One that does not know limits would leave them out.
  if (asked.request.limits.any() && reply.group.empty()) {
    return fail("isolated is of a version without limits; restart it");
  }
  const auto& nested = asked.request.nested;
  if (nested && nested->locks_mounts && reply.nested == wire::Nested::none) {
    return fail("isolated is of a version that makes no user namespaces for guests; restart it");
  }
  return DaemonLease(std::move(reply), std::move(descriptors), std::move(asked.reason_against_user_namespaces));
}

void DaemonLease::adapt(RunPlan* plan) const {
  if (reply_.read_only) {
    plan->read_only_root = true;
    plan->may_create_targets = false;
    log::warning(unmapped_warning(reply_.store, true));
  }
  if (reason_.empty()) return;
  plan->ids.nested = reply_.nested == wire::Nested::below;
  const bool is_counted = reply_.nested == wire::Nested::below || !reply_.group.empty();
  const auto limit = plan->ids.process_limit;
  if (limit == kUnlimited || is_counted) return;
  log::warning(
      fmt::format("each user of the guest may have {} processes, instead of all together: you may make no user "
                  "namespaces ({}), and no control group counts them: {}",
                  limit, reason_, no_group_tree()));
}

Result<void> DaemonLease::enter_group() const {
  auto client = wire::Client::connect();
  if (!client) return fail(client.error().message);
  const auto entered = client->call("EnterGroup", {{"lease", reply_.lease}});
  if (!entered) return fail(entered.error().message);
  return {};
}

RootSource DaemonLease::root() const { return {{}, std::string(wire::kLeaseStage) + "/root"}; }

}  // namespace isolate
