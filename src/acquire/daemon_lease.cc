#include "acquire/daemon_lease.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <nlohmann/json.hpp>

#include "base/log.h"
#include "base/text.h"
#include "limits/lease_group.h"
#include "linux/idmap.h"
#include "linux/userns_switches.h"
#include "request/guest_rights.h"
#include "request/store_path.h"
#include "stage/layout.h"
#include "store/open.h"

namespace isolate {
namespace {

bool names_other_store(const std::string& asked) {
  return asked.find('/') != std::string::npos || asked.starts_with("zfs:") || asked.starts_with("btrfs:");
}

Result<bool> own_store_has(const std::string& asked, const std::string& path, OwnerNamespace* owner) {
  auto store = open_store(path, owner, MissingStore::refuse);
  // A user without a store has no templates. If the daemon lacks the template as well, its answer becomes the error.
  if (!store) return false;
  return (*store)->has_template(TRY(name_in_store(asked, **store)));
}

Result<void> check_request(const RunRequest& request) {
  const auto refused = [](const std::string& what, const std::string& advice) {
    return fail(Error(what + " is not supported for a clone leased from the daemon").advise(advice));
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

// The part of the error message that explains why the daemon did not help when the user's own store lacks the template.
// Empty if no daemon runs and the user is not a member, who could use one.
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
  // Only the daemon opens ZFS and btrfs stores for an ordinary user, so its message says all there is to say.
  if (names_other_store(request.template_name)) return Error(reason.message);
  auto names = names_in_own_store(caller);
  if (reason.refusal == wire::Refusal::no_such_template) {
    auto leased = names_of_daemon();
    // The daemon has several templates of this name, and says so.
    if (std::find(leased.begin(), leased.end(), request.template_name) != leased.end()) return Error(reason.message);
    for (auto& name : leased) names.push_back(std::move(name));
  }
  return Error(missing_template(request.template_name, "", std::move(names)).message() +
               clause_on_daemon(reason, request.template_name));
}

wire::LeaseRequest lease_request(const RunRequest& request) {
  wire::LeaseRequest asked;
  asked.template_name = request.template_name;
  asked.private_ids = request.userns == UsernsMode::private_range;
  if (request.uid_base || request.gid_base) {
    asked.uid_base = request.uid_base ? request.uid_base : request.gid_base;
    asked.gid_base = request.gid_base ? request.gid_base : request.uid_base;
  }
  asked.engine = engine_name(request.engine);
  asked.waits = request.hold;
  return asked;
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

Error DaemonLease::error_of(const RunRequest& request, const Caller& caller, const wire::CallError& reason) {
  return reason.refusal == wire::Refusal::other ? Error(reason.message) : no_template(request, caller, reason);
}

namespace {

// The namespace that the launcher would make itself if the caller could make user namespaces.
std::optional<wire::NestedRequest> nested_request(const RunRequest& request) {
  wire::NestedRequest nested;
  nested.locks_mounts = locks_mounts(request);
  const auto limit = planned_process_limit(request, HardLimits::of_this_process());
  if (limit != kUnlimited) nested.processes = limit;
  if (!nested.locks_mounts && !nested.processes) return std::nullopt;
  return nested;
}

}  // namespace

Result<void> DaemonLease::prepare(GuestGroup* group, Steps* steps) {
  const auto limits = TRY(group->for_daemon());
  return steps->run("lease", [&] { return send_request(limits); });
}

Result<void> DaemonLease::send_request(const GroupLimits& limits) {
  auto client = wire::Client::connect();
  if (!client) return fail(no_template(request_, caller_, client.error()));
  TRY_VOID(check_request(request_));
  asked_ = lease_request(request_);
  asked_.limits = limits;
  reason_against_user_namespaces_ = reason_against_user_namespaces();
  if (!reason_against_user_namespaces_.empty()) asked_.nested = nested_request(request_);
  client->send("Lease", wire::to_json(asked_));
  client_ = std::move(*client);
  return {};
}

Result<AcquiredRoot> DaemonLease::acquire(Steps* steps) {
  TRY_VOID(steps->run("lease", [this] { return receive_reply(); }));
  AcquiredRoot root;
  root.id = reply_.lease;
  root.template_name = reply_.template_name;
  root.source.directory = stage::path(stage::kOfRoot, stage::kRoot);
  root.read_only = reply_.read_only;
  root.maps = reply_.maps;
  if (!reason_against_user_namespaces_.empty()) root.has_namespace_below = reply_.nested == wire::Nested::below;
  root.warnings = warnings();
  return root;
}

Result<void> DaemonLease::receive_reply() {
  const auto parameters = client_->receive();
  if (!parameters) return fail(error_of(request_, caller_, parameters.error()));
  reply_ = TRY(wire::lease_reply_from(*parameters));
  descriptors_ = client_->take_descriptors();
  client_.reset();
  if (descriptors_.size() != descriptors_of(reply_)) {
    return fail(fmt::format("isolated sent {} descriptors instead of {}", descriptors_.size(), descriptors_of(reply_)));
  }
  // An older daemon that does not know limits would ignore them.
  if (asked_.limits.any() && reply_.group.empty()) {
    return fail("the running isolated is an older version without limits; restart isolated");
  }
  if (asked_.nested && asked_.nested->locks_mounts && reply_.nested == wire::Nested::none) {
    return fail("the running isolated is an older version that makes no user namespaces for guests; restart isolated");
  }
  return {};
}

std::vector<std::string> DaemonLease::warnings() const {
  std::vector<std::string> warnings;
  if (reply_.read_only) warnings.push_back(unmapped_warning(reply_.store, true));
  const bool is_counted =
      reason_against_user_namespaces_.empty() || reply_.nested == wire::Nested::below || !reply_.group.empty();
  const auto limit = planned_process_limit(request_, HardLimits::of_this_process());
  if (limit != kUnlimited && !is_counted) {
    warnings.push_back(
        fmt::format("each user of the guest may have {} processes, instead of all together: you may make no user "
                    "namespaces ({}), and no control group counts them: {}",
                    limit, reason_against_user_namespaces_, no_group_tree()));
  }
  return warnings;
}

Result<bool> DaemonLease::is_newest() {
  OwnerNamespace owner(caller_);
  if (!TRY(is_wanted(request_, &owner))) return false;  // the user's own store has the template by now
  const auto newest = wire::leased_generation(asked_);
  if (!newest) return fail(error_of(request_, caller_, newest.error()));
  return *newest == wire::GenerationReply{reply_.template_name, reply_.store, reply_.generation};
}

void DaemonLease::begin_use() {
  // Without this, isolatectl ps shows that the guest waits. A daemon that hangs must not hold up the run for that.
  auto client = wire::Client::connect(wire::kSocketPath, std::chrono::seconds(1));
  if (!client) return;
  client->send("BeginUse", {{"lease", reply_.lease}});
  // The run does not wait for the reply. The connection stays open, or the daemon might not serve it.
  client_ = std::move(*client);
}

LeasedNamespaces DaemonLease::namespaces() const {
  return {descriptor(wire::kUserNamespace), descriptor(wire::kMountNamespace), descriptor(wire::kNestedUserNamespace),
          descriptor(wire::kNestedMountNamespace)};
}

void DaemonLease::let_go_of_mount_namespaces() {
  for (const std::size_t number : {wire::kMountNamespace, wire::kNestedMountNamespace}) {
    if (number < descriptors_.size()) descriptors_[number].reset();
  }
}

Result<void> DaemonLease::give_back(Steps* /*steps*/) {
  descriptors_.clear();
  return {};
}

}  // namespace isolate
