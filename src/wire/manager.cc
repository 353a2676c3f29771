#include "wire/manager.h"

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>

#include "base/text.h"

namespace isolate::wire {
namespace {

constexpr std::size_t kDeepest = 16;

// How deep brackets are nested in what may be JSON.
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
  if (found == object.end() || !found->is_string()) return fail(std::string(name) + ": a string is wanted");
  return found->get<std::string>();
}

Result<std::string> optional_string_in(const Json& object, const char* name) {
  if (!object.contains(name)) return std::string();
  return string_in(object, name);
}

Result<std::uint64_t> number_in(const Json& object, const char* name, std::uint64_t most) {
  const auto found = object.find(name);
  if (found == object.end() || !found->is_number_unsigned() || found->get<std::uint64_t>() > most) {
    return fail(std::string(name) + ": a number from 0 to " + std::to_string(most) + " is wanted");
  }
  return found->get<std::uint64_t>();
}

// The limits by their names.
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
  if (!found->is_object()) return fail(std::string(name) + ": an object is wanted");
  std::size_t known = 0;
  for (const auto& [member, limit] : members_of(limits)) {
    if (!found->contains(member)) continue;
    *limit = TRY(number_in(*found, member, INT64_MAX));
    ++known;
  }
  // Nothing runs without a limit that was asked for.
  if (known != found->size()) return fail(std::string(name) + ": a limit that this version does not know");
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
  if (!found->is_object()) return fail(std::string(name) + ": an object is wanted");
  NestedRequest request;
  const auto locks = found->find("locksMounts");
  if (locks == found->end() || !locks->is_boolean()) return fail("locksMounts: true or false is wanted");
  request.locks_mounts = locks->get<bool>();
  if (found->contains("processes")) request.processes = TRY(number_in(*found, "processes", INT64_MAX));
  // Nothing runs without a protection that was asked for.
  if (found->size() != (request.processes ? 2U : 1U)) return fail(std::string(name) + ": more than this version knows");
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
  return fail("nested: \"below\" or \"beside\" is wanted");
}

Json to_json(const std::vector<IdMapEntry>& map) {
  Json list = Json::array();
  for (const auto& entry : map) list.push_back({entry.inside, entry.outside, entry.count});
  return list;
}

Result<std::vector<IdMapEntry>> map_in(const Json& object, const char* name) {
  const auto found = object.find(name);
  const auto wrong = [name] { return fail(std::string(name) + ": a list of [inside, outside, count] is wanted"); };
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
# cpuUsec, memoryBytes, tasks: what the guest uses, where that can be had. bytesIncomplete: the clone takes more than
# `bytes`; there was no time to count all of it.
type Lease (lease: string, template: string, store: string, user: string, pid: int, since: int, engine: string,
  bytes: int, bytesIncomplete: ?bool, cpuUsec: ?int, memoryBytes: ?int, tasks: ?int)
# memory: bytes, without swap. cpuTime: microseconds in each 100000. ioWeight: 1 to 10000.
type Limits (memory: ?int, cpuTime: ?int, processes: ?int, ioWeight: ?int)
# locksMounts: the guest may have CAP_SYS_ADMIN, and must not make read-only mounts writable. processes: the most that all
# of the guest may have.
type Nested (locksMounts: bool, processes: ?int)

# A clone of the template, for the caller alone. Four descriptors come with the reply: a user namespace, a mount
# namespace that holds the clone's root on /run/isolate/stage/root, and the locks of the lease and of its range of ids. The
# lease ends when the last copy of the third one is closed. The connection is closed after the reply.
# With limits, the guest is to enter the control group that has them by EnterGroup, and group is that one's directory.
# userns: "automatic" (0 inside is the caller) or "private" (no id inside is the caller's). uidBase, gidBase: for a
# template whose files belong on disk to the range of 65536 ids that begins there: ids inside are that range.
# nested: for a caller who can't make user namespaces. The daemon makes a second one for the guest, whose descriptor comes
# fifth. "below": it lies in the first one, and the caller joins it when the root is finished. "beside": it does not, where
# the kernel lets nobody make one there; a mount namespace that belongs to it comes sixth. The finished root is mounted on
# /run/isolate/stage/door of the first mount namespace, and appears there in the second one, with its mounts locked. In this
# case the limit of processes is one of the control group. Where only processes were limited, that group may be all that is
# made; without a group and without nested in the reply nothing limits them together.
method Lease(template: string, userns: ?string, engine: ?string, uidBase: ?int, gidBase: ?int, limits: ?Limits,
  nested: ?Nested) ->
  (lease: string, template: string, store: string, generation: int, readOnly: bool, uidMap: [][]int, gidMap: [][]int,
  group: ?string, nested: ?string)
# Moves the process that has connected to the control group of the caller's own lease, in which none may be yet.
method EnterGroup(lease: string) -> ()

# Templates whose pool was given a size by root.
method ListTemplates() -> (templates: []Template)
method ListPools() -> (pools: []Pool)
# The caller's own; root sees all.
method ListLeases() -> (leases: []Lease)
# Ends a lease of the caller's, or for root anyone's: its guest is killed. The reply comes when it is over.
method Kill(lease: string) -> ()
method GetStatus() -> (version: string, pid: int, connections: int, waiting: int)
# For root.
method ResizePool(template: string, size: int) -> ()

error PermissionDenied (message: string)
error NoSuchTemplate (message: string, template: string)
error TooManyLeases (message: string)
error NoSuchLease (message: string)
error Failed (message: string)
)";
}

std::string_view service_description() {
  return R"(# What every Varlink service tells of itself.
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
  if (depth_of(text) > kDeepest) return fail("nested too deep");
  auto json = Json::parse(text, nullptr, false);
  if (json.is_discarded()) return fail("not JSON");
  if (!json.is_object()) return fail("not a JSON object");
  return json;
}

Result<Call> parse_call(std::string_view message) {
  const auto json = TRY(parse_object(message));
  // Whoever wants no or several replies is not served.
  for (const char* flag : {"oneway", "more", "upgrade"}) {
    const auto found = json.find(flag);
    if (found != json.end() && *found != false) return fail(std::string(flag) + ": not supported");
  }
  const auto name = TRY(string_in(json, "method"));
  const auto dot = name.rfind('.');
  if (dot == std::string::npos) return fail("method: INTERFACE.METHOD is wanted");
  Call call{name.substr(0, dot), name.substr(dot + 1), "{}"};
  const auto parameters = json.find("parameters");
  if (parameters == json.end()) return call;
  if (!parameters->is_object()) return fail("parameters: an object is wanted");
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
  return json;
}

Result<LeaseRequest> lease_request_from(const Json& parameters) {
  LeaseRequest request;
  request.template_name = TRY(string_in(parameters, "template"));
  request.engine = TRY(optional_string_in(parameters, "engine"));
  if (!request.engine.empty() && !text::is_name(request.engine, 16)) return fail("engine: a name is wanted");
  const auto userns = TRY(optional_string_in(parameters, "userns"));
  if (!userns.empty() && userns != "automatic" && userns != "private") {
    return fail("userns: \"automatic\" or \"private\" is wanted");
  }
  request.private_ids = userns == "private";
  constexpr std::uint64_t kHighestBase = UINT32_MAX - kGuestIds;
  if (parameters.contains("uidBase") || parameters.contains("gidBase")) {
    request.uid_base = static_cast<std::uint32_t>(TRY(number_in(parameters, "uidBase", kHighestBase)));
    request.gid_base = static_cast<std::uint32_t>(TRY(number_in(parameters, "gidBase", kHighestBase)));
  }
  request.limits = TRY(limits_in(parameters, "limits"));
  request.nested = TRY(nested_in(parameters, "nested"));
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
  // Its clones came as layers, each a mount of its own.
  if (parameters.contains("layers")) return fail("isolated is of an older version than isolate; restart it");
  LeaseReply reply;
  reply.lease = TRY(string_in(parameters, "lease"));
  reply.template_name = TRY(string_in(parameters, "template"));
  reply.store = TRY(string_in(parameters, "store"));
  reply.generation = TRY(number_in(parameters, "generation", UINT64_MAX));
  const auto read_only = parameters.find("readOnly");
  if (read_only == parameters.end() || !read_only->is_boolean()) return fail("readOnly: true or false is wanted");
  reply.read_only = read_only->get<bool>();
  reply.maps.uid = TRY(map_in(parameters, "uidMap"));
  reply.maps.gid = TRY(map_in(parameters, "gidMap"));
  reply.group = TRY(optional_string_in(parameters, "group"));
  reply.nested = TRY(nested_from(TRY(optional_string_in(parameters, "nested"))));
  return reply;
}

}  // namespace isolate::wire
