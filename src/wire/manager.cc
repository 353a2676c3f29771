#include "wire/manager.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <nlohmann/json.hpp>

#include "base/text.h"

namespace isolate::wire {
namespace {

constexpr std::size_t kDeepest = 16;

// Returns how deeply brackets are nested in a text that may be JSON.
std::size_t depth_of(std::string_view text) {
  std::size_t depth = 0;
  std::size_t deepest = 0;
  bool in_string = false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (in_string) {
      if (c == '\\') ++i;
      if (c == '"') in_string = false;
    } else if (c == '"') {
      in_string = true;
    } else if (c == '{' || c == '[') {
      deepest = std::max(deepest, ++depth);
    } else if ((c == '}' || c == ']') && depth > 0) {
      --depth;
    }
  }
  return deepest;
}

Result<std::string> string_in(const Json& object, const char* name) {
  const auto found = object.find(name);
  if (found == object.end() || !found->is_string()) return fail(std::string(name) + ": expected a string");
  return found->get<std::string>();
}

Result<std::string> optional_string_in(const Json& object, const char* name) {
  if (!object.contains(name)) return std::string();
  return string_in(object, name);
}

Result<std::uint64_t> number_in(const Json& object, const char* name, std::uint64_t most) {
  const auto found = object.find(name);
  if (found == object.end() || !found->is_number_unsigned() || found->get<std::uint64_t>() > most) {
    return fail(std::string(name) + ": expected a number from 0 to " + std::to_string(most));
  }
  return found->get<std::uint64_t>();
}

Result<bool> flag_in(const Json& object, const char* name) {
  const auto found = object.find(name);
  if (found == object.end() || !found->is_boolean()) return fail(std::string(name) + ": expected true or false");
  return found->get<bool>();
}

// Pairs of each limit's name in the protocol and its member.
template <typename Limits>
auto members_of(Limits& limits) {
  return std::array{std::pair{"memory", &limits.memory}, std::pair{"cpuTime", &limits.cpu_time},
                    std::pair{"processes", &limits.processes}, std::pair{"ioWeight", &limits.io_weight}};
}

Json to_json(const GroupLimits& limits) {
  Json json = Json::object();
  for (const auto& [name, limit] : members_of(limits)) {
    if (*limit) json[name] = **limit;
  }
  return json;
}

Result<GroupLimits> limits_in(const Json& object, const char* name) {
  GroupLimits limits;
  const auto found = object.find(name);
  if (found == object.end()) return limits;
  if (!found->is_object()) return fail(std::string(name) + ": expected an object");
  std::size_t known = 0;
  for (const auto& [member, limit] : members_of(limits)) {
    if (!found->contains(member)) continue;
    *limit = TRY(number_in(*found, member, INT64_MAX));
    ++known;
  }
  // Refuse unknown limits: a guest must not run without a limit that was asked for.
  if (known != found->size()) return fail(std::string(name) + ": contains a limit that this version does not know");
  return limits;
}

Json to_json(const NestedRequest& request) {
  Json json = {{"locksMounts", request.locks_mounts}};
  if (request.processes) json["processes"] = *request.processes;
  return json;
}

Result<std::optional<NestedRequest>> nested_in(const Json& object, const char* name) {
  const auto found = object.find(name);
  if (found == object.end()) return std::optional<NestedRequest>();
  if (!found->is_object()) return fail(std::string(name) + ": expected an object");
  NestedRequest request;
  request.locks_mounts = TRY(flag_in(*found, "locksMounts"));
  if (found->contains("processes")) request.processes = TRY(number_in(*found, "processes", INT64_MAX));
  // Refuse unknown members: a guest must not run without a protection that was asked for.
  if (found->size() != (request.processes ? 2U : 1U))
    return fail(std::string(name) + ": contains a member that this version does not know");
  return std::optional(request);
}

constexpr std::array kNestedNames = {std::pair{Nested::none, ""}, std::pair{Nested::below, "below"},
                                     std::pair{Nested::beside, "beside"}};

std::string_view nested_name(Nested nested) {
  for (const auto& [value, name] : kNestedNames) {
    if (value == nested) return name;
  }
  return "";
}

Result<Nested> nested_from(const std::string& word) {
  for (const auto& [value, name] : kNestedNames) {
    if (word == name) return value;
  }
  return fail("nested: expected \"below\" or \"beside\"");
}

Json to_json(const std::vector<IdMapEntry>& map) {
  Json list = Json::array();
  for (const auto& entry : map) list.push_back({entry.inside, entry.outside, entry.count});
  return list;
}

Result<std::vector<IdMapEntry>> map_in(const Json& object, const char* name) {
  const auto found = object.find(name);
  const auto wrong = [name] { return fail(std::string(name) + ": expected a list of [inside, outside, count]"); };
  if (found == object.end() || !found->is_array() || found->empty()) return wrong();
  std::vector<IdMapEntry> map;
  for (const auto& entry : *found) {
    const auto is_id = [](const Json& value) {
      return value.is_number_unsigned() && value.get<std::uint64_t>() <= UINT32_MAX;
    };
    if (!entry.is_array() || entry.size() != 3 || !std::all_of(entry.begin(), entry.end(), is_id)) return wrong();
    map.push_back({entry[0].get<std::uint32_t>(), entry[1].get<std::uint32_t>(), entry[2].get<std::uint32_t>()});
  }
  return map;
}

}  // namespace

std::string_view manager_description() {
  return R"(# Fresh clones of templates for the members of the group "isolate".
interface org.isolate.Manager

type Template (name: string, store: string, generation: int, size: int, fresh: int)
type Pool (template: string, store: string, size: int, fresh: int, leased: int, kept: int, waiting: int)
# cpuUsec, memoryBytes, tasks: the resources that the guest uses, if they can be determined. bytesIncomplete: the clone
# takes more than `bytes`, because there was no time to count all of it. waits: it is a warm guest that no run has taken.
type Lease (lease: string, template: string, store: string, user: string, pid: int, since: int, engine: string,
  waits: ?bool, bytes: int, bytesIncomplete: ?bool, cpuUsec: ?int, memoryBytes: ?int, tasks: ?int)
# memory: bytes, without swap. cpuTime: microseconds in each 100000. ioWeight: 1 to 10000.
type Limits (memory: ?int, cpuTime: ?int, processes: ?int, ioWeight: ?int)
# locksMounts: the guest may have CAP_SYS_ADMIN and must not make read-only mounts writable. processes: the maximum
# number of processes of the whole guest.
type Nested (locksMounts: bool, processes: ?int)

# Leases a clone of the template to the caller. Four descriptors come with the reply: a user namespace; a mount
# namespace in which the clone's root is mounted on /run/isolate/stage/root; the lock of the lease; the lock of its
# range of ids. The lease ends when the last copy of the third descriptor is closed. The daemon closes the connection
# after the reply.
# With limits, `group` is the directory of the control group that has them; the caller moves the guest there with
# EnterGroup.
# userns: "automatic" (id 0 inside is the caller) or "private" (no id inside is the caller's). uidBase, gidBase: for a
# template whose files belong on disk to the range of 65536 ids that begins there; the ids inside are that range.
# nested: for a caller who can't create user namespaces. The daemon creates a second one for the guest and sends its
# descriptor as the fifth. "below": it lies in the first one, and the caller enters it when the root is complete.
# "beside": it does not, because the kernel allows none there; a mount namespace that belongs to it comes as the sixth.
# The caller mounts the complete root on /run/isolate/stage/door in the first mount namespace; it appears there in the
# second one, with its mounts locked. With "beside" the control group limits the number of processes. If only processes
# were limited, the daemon may make only that group. A reply without group and without nested means that nothing limits
# the processes together.
# waits: the caller makes a warm guest. When a run takes it, the caller says so with BeginUse.
method Lease(template: string, userns: ?string, engine: ?string, uidBase: ?int, gidBase: ?int, limits: ?Limits,
  nested: ?Nested, waits: ?bool) ->
  (lease: string, template: string, store: string, generation: int, readOnly: bool, uidMap: [][]int, gidMap: [][]int,
  group: ?string, nested: ?string)
# Moves the process that has connected into the control group of a lease of the caller. The group must still be empty.
method EnterGroup(lease: string) -> ()
# Records that a run has taken the warm guest on a lease of the caller that waits, for ListLeases. The daemon closes the
# connection after the reply.
method BeginUse(lease: string) -> ()
# The generation of which a lease would get a clone now. Checks template, uidBase and gidBase as Lease does.
method GetGeneration(template: string, uidBase: ?int, gidBase: ?int) ->
  (template: string, store: string, generation: int)

# The templates for whose pool root has set a size.
method ListTemplates() -> (templates: []Template)
method ListPools() -> (pools: []Pool)
# The caller's own leases; for root all of them.
method ListLeases() -> (leases: []Lease)
# Ends a lease of the caller, or for root any lease, by killing its guest. The reply comes when the lease has ended.
method Kill(lease: string) -> ()
method GetStatus() -> (version: string, pid: int, connections: int, waiting: int)
# Only for root.
method ResizePool(template: string, size: int) -> ()

error PermissionDenied (message: string)
error NoSuchTemplate (message: string, template: string)
error TooManyLeases (message: string)
error NoSuchLease (message: string)
error Failed (message: string)
)";
}

std::string_view service_description() {
  return R"(# The methods that every Varlink service has.
interface org.varlink.service

method GetInfo() -> (vendor: string, product: string, version: string, url: string, interfaces: []string)
method GetInterfaceDescription(interface: string) -> (description: string)

error InterfaceNotFound (interface: string)
error MethodNotFound (method: string)
error MethodNotImplemented (method: string)
error InvalidParameter (parameter: string)
)";
}

Result<Json> parse_object(std::string_view text) {
  if (depth_of(text) > kDeepest) return fail("nested too deeply");
  auto json = Json::parse(text, nullptr, false);
  if (json.is_discarded()) return fail("not JSON");
  if (!json.is_object()) return fail("not a JSON object");
  return json;
}

Result<Call> parse_call(std::string_view message) {
  const auto json = TRY(parse_object(message));
  // Calls without a reply or with several replies are not supported.
  for (const char* flag : {"oneway", "more", "upgrade"}) {
    const auto found = json.find(flag);
    if (found != json.end() && *found != false) return fail(std::string(flag) + ": not supported");
  }
  const auto name = TRY(string_in(json, "method"));
  const auto dot = name.rfind('.');
  if (dot == std::string::npos) return fail("method: expected INTERFACE.METHOD");
  Call call{name.substr(0, dot), name.substr(dot + 1), "{}"};
  const auto parameters = json.find("parameters");
  if (parameters == json.end()) return call;
  if (!parameters->is_object()) return fail("parameters: expected an object");
  call.parameters = parameters->dump(-1, ' ', false, Json::error_handler_t::replace);
  return call;
}

Json to_json(const LeaseRequest& request) {
  Json json = {{"template", request.template_name},
               {"userns", request.private_ids ? "private" : "automatic"},
               {"engine", request.engine}};
  if (request.uid_base) json["uidBase"] = *request.uid_base;
  if (request.gid_base) json["gidBase"] = *request.gid_base;
  if (request.limits.any()) json["limits"] = to_json(request.limits);
  if (request.nested) json["nested"] = to_json(*request.nested);
  if (request.waits) json["waits"] = true;
  return json;
}

Result<LeaseRequest> lease_request_from(const Json& parameters) {
  LeaseRequest request;
  request.template_name = TRY(string_in(parameters, "template"));
  request.engine = TRY(optional_string_in(parameters, "engine"));
  if (!request.engine.empty() && !text::is_name(request.engine, 16)) return fail("engine: expected a name");
  const auto userns = TRY(optional_string_in(parameters, "userns"));
  if (!userns.empty() && userns != "automatic" && userns != "private") {
    return fail("userns: expected \"automatic\" or \"private\"");
  }
  request.private_ids = userns == "private";
  constexpr std::uint64_t kHighestBase = UINT32_MAX - kGuestIds;
  if (parameters.contains("uidBase") || parameters.contains("gidBase")) {
    request.uid_base = static_cast<std::uint32_t>(TRY(number_in(parameters, "uidBase", kHighestBase)));
    request.gid_base = static_cast<std::uint32_t>(TRY(number_in(parameters, "gidBase", kHighestBase)));
  }
  request.limits = TRY(limits_in(parameters, "limits"));
  request.nested = TRY(nested_in(parameters, "nested"));
  if (parameters.contains("waits")) request.waits = TRY(flag_in(parameters, "waits"));
  return request;
}

Json to_json(const LeaseReply& reply) {
  Json json = {{"lease", reply.lease},
               {"template", reply.template_name},
               {"store", reply.store},
               {"generation", reply.generation},
               {"readOnly", reply.read_only},
               {"uidMap", to_json(reply.maps.uid)},
               {"gidMap", to_json(reply.maps.gid)}};
  if (!reply.group.empty()) json["group"] = reply.group;
  if (reply.nested != Nested::none) json["nested"] = nested_name(reply.nested);
  return json;
}

std::size_t descriptors_of(const LeaseReply& reply) {
  if (reply.nested == Nested::none) return kLeaseDescriptors;
  return reply.nested == Nested::below ? kNestedUserNamespace + 1 : kNestedMountNamespace + 1;
}

Result<LeaseReply> lease_reply_from(const Json& parameters) {
  // Older daemons sent layers, each in its own mount.
  if (parameters.contains("layers")) return fail("isolated is older than isolate; restart isolated");
  LeaseReply reply;
  reply.lease = TRY(string_in(parameters, "lease"));
  reply.template_name = TRY(string_in(parameters, "template"));
  reply.store = TRY(string_in(parameters, "store"));
  reply.generation = TRY(number_in(parameters, "generation", UINT64_MAX));
  reply.read_only = TRY(flag_in(parameters, "readOnly"));
  reply.maps.uid = TRY(map_in(parameters, "uidMap"));
  reply.maps.gid = TRY(map_in(parameters, "gidMap"));
  reply.group = TRY(optional_string_in(parameters, "group"));
  reply.nested = TRY(nested_from(TRY(optional_string_in(parameters, "nested"))));
  return reply;
}

Json to_json(const GenerationReply& reply) {
  return {{"template", reply.template_name}, {"store", reply.store}, {"generation", reply.generation}};
}

Result<GenerationReply> generation_reply_from(const Json& parameters) {
  GenerationReply reply;
  reply.template_name = TRY(string_in(parameters, "template"));
  reply.store = TRY(string_in(parameters, "store"));
  reply.generation = TRY(number_in(parameters, "generation", UINT64_MAX));
  return reply;
}

}  // namespace isolate::wire
