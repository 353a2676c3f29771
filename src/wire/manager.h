// What isolated tells and is asked: the Varlink interface org.isolate.Manager.
#pragma once

#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "limits/limit_group.h"
#include "linux/idmap.h"

namespace isolate::wire {

using Json = nlohmann::json;

constexpr const char* kSocketPath = "/run/isolate/org.isolate.Manager";
constexpr std::string_view kManager = "org.isolate.Manager";

// The interface in Varlink's own language.
std::string_view manager_description();
std::string_view service_description();  // org.varlink.service

// A request: {"method": ..., "parameters": {...}}.
struct Call {
  std::string interface;
  std::string method;
  std::string parameters;  // a JSON object
};
// Errors: plain text: what of the message is wrong. Never deeper than a few levels.
Result<Call> parse_call(std::string_view message);

// An object, at most `kDeepest` levels deep. Errors: plain text.
Result<Json> parse_object(std::string_view text);

// What the guest needs of a second user namespace, which its own launcher can't make: wherever the host, or a filter of
// system calls, forbids user namespaces to the caller.
struct NestedRequest {
  bool locks_mounts = false;               // no guest can change the flags of its mounts, with CAP_SYS_ADMIN either
  std::optional<std::uint64_t> processes;  // the most that all of the guest may have
  bool operator==(const NestedRequest&) const = default;
};
// What the daemon has made of it.
enum class Nested {
  none,    // nothing was asked for, or a control group counts the processes and that is all that was asked for
  below,   // a user namespace within that of the lease
  beside,  // one of its own, with a mount namespace in which the finished root appears, where none can be made below
};

struct LeaseRequest {
  std::string template_name;  // as -z takes it
  bool private_ids = false;   // the caller's own id is not among those inside
  // Ids inside are these and the following, to which the template's files belong on disk; both or none.
  std::optional<std::uint32_t> uid_base;
  std::optional<std::uint32_t> gid_base;
  std::string engine;  // for isolatectl ps
  GroupLimits limits{};
  std::optional<NestedRequest> nested{};
};
Json to_json(const LeaseRequest& request);
// Errors: plain text: the parameter that is missing or of another type.
Result<LeaseRequest> lease_request_from(const Json& parameters);

struct LeaseReply {
  std::string lease;  // the clone's id
  std::string template_name;
  std::string store;
  std::uint64_t generation = 0;
  bool read_only = false;  // the clone's file system can't map ids
  IdMaps maps;
  std::string group;  // the control group with the limits; empty: none were asked for
  Nested nested = Nested::none;
};
// The descriptors that come with it, in this order: four, five with Nested::below, and six with Nested::beside.
enum LeaseDescriptor {
  kUserNamespace,
  kMountNamespace,
  kLeaseLock,
  kRangeLock,
  kLeaseDescriptors,
  kNestedUserNamespace = kLeaseDescriptors,
  kNestedMountNamespace,
};
std::size_t descriptors_of(const LeaseReply& reply);
Json to_json(const LeaseReply& reply);
Result<LeaseReply> lease_reply_from(const Json& parameters);

}  // namespace isolate::wire
