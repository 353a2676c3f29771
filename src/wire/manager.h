// The Varlink interface org.isolate.Manager between isolate and the daemon isolated.
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

// Returns the description of the interface in Varlink's language.
std::string_view manager_description();
std::string_view service_description();  // org.varlink.service

// A request: {"method": ..., "parameters": {...}}.
struct Call {
  std::string interface;
  std::string method;
  std::string parameters;  // a JSON object
};
// Errors: plain text that says what is wrong with the message.
Result<Call> parse_call(std::string_view message);

// Parses a JSON object that is at most 16 levels deep. Errors: plain text.
Result<Json> parse_object(std::string_view text);

// The protections for which the guest needs a second user namespace, requested when the caller can't create one because
// the host or a seccomp filter forbids it.
struct NestedRequest {
  bool locks_mounts = false;               // even with CAP_SYS_ADMIN the guest can't change the flags of its mounts
  std::optional<std::uint64_t> processes;  // the maximum number of processes of the whole guest
  bool operator==(const NestedRequest&) const = default;
};
// The daemon's answer to such a request.
enum class Nested {
  none,   // nothing was requested, or only a limit of processes that a control group enforces
  below,  // a user namespace below that of the lease
  // A separate user namespace, because none can be created below, and a mount namespace in which the complete root
  // appears.
  beside,
};

struct LeaseRequest {
  std::string template_name;  // in any form that -z accepts
  bool private_ids = false;   // the caller's own id is not mapped
  // The first ids of the range to which the template's files belong on disk; the guest uses this range. Both or none.
  std::optional<std::uint32_t> uid_base;
  std::optional<std::uint32_t> gid_base;
  std::string engine;  // for isolatectl ps
  GroupLimits limits{};
  std::optional<NestedRequest> nested{};
  bool waits = false;  // for a warm guest, which waits for a run; for isolatectl ps
};
Json to_json(const LeaseRequest& request);
// Errors: plain text that names the parameter that is missing or has the wrong type.
Result<LeaseRequest> lease_request_from(const Json& parameters);

struct LeaseReply {
  std::string lease;  // the clone's id
  std::string template_name;
  std::string store;
  std::uint64_t generation = 0;
  bool read_only = false;  // the clone is read-only, because its file system can't map ids
  IdMaps maps;
  std::string group;  // the control group with the limits; empty: no limits were requested
  Nested nested = Nested::none;
};
// The descriptors that come with the reply, in this order: four, five with Nested::below, six with Nested::beside.
enum LeaseDescriptor {
  kUserNamespace,
  kMountNamespace,
  kLeaseLock,
  kRangeLock,
  kLeaseDescriptors,
  kNestedUserNamespace = kLeaseDescriptors,
  kNestedMountNamespace,
};
// Returns how many descriptors have to come with the reply.
std::size_t descriptors_of(const LeaseReply& reply);
Json to_json(const LeaseReply& reply);
Result<LeaseReply> lease_reply_from(const Json& parameters);

// The generation of which a lease would get a clone now.
struct GenerationReply {
  std::string template_name;
  std::string store;
  std::uint64_t generation = 0;
  bool operator==(const GenerationReply&) const = default;
};
Json to_json(const GenerationReply& reply);
Result<GenerationReply> generation_reply_from(const Json& parameters);

}  // namespace isolate::wire
