#include <errno.h>
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <nlohmann/json.hpp>

#include "base/text.h"
#include "seccomp/profile.h"

namespace isolate::seccomp {
namespace {

using Json = nlohmann::json;

struct NamedAction {
  std::string_view name;
  std::uint32_t value;
  bool takes_errno;
};
constexpr std::array<NamedAction, 8> kActions = {{{"SCMP_ACT_KILL", SCMP_ACT_KILL_THREAD, false},
                                                  {"SCMP_ACT_KILL_THREAD", SCMP_ACT_KILL_THREAD, false},
                                                  {"SCMP_ACT_KILL_PROCESS", SCMP_ACT_KILL_PROCESS, false},
                                                  {"SCMP_ACT_TRAP", SCMP_ACT_TRAP, false},
                                                  {"SCMP_ACT_ERRNO", SCMP_ACT_ERRNO(0), true},
                                                  {"SCMP_ACT_TRACE", SCMP_ACT_TRACE(0), true},
                                                  {"SCMP_ACT_ALLOW", SCMP_ACT_ALLOW, false},
                                                  {"SCMP_ACT_LOG", SCMP_ACT_LOG, false}}};

struct NamedComparison {
  std::string_view name;
  scmp_compare value;
};
constexpr std::array<NamedComparison, 7> kComparisons = {{{"SCMP_CMP_NE", SCMP_CMP_NE},
                                                          {"SCMP_CMP_LT", SCMP_CMP_LT},
                                                          {"SCMP_CMP_LE", SCMP_CMP_LE},
                                                          {"SCMP_CMP_EQ", SCMP_CMP_EQ},
                                                          {"SCMP_CMP_GE", SCMP_CMP_GE},
                                                          {"SCMP_CMP_GT", SCMP_CMP_GT},
                                                          {"SCMP_CMP_MASKED_EQ", SCMP_CMP_MASKED_EQ}}};

// Returns a member of an object, or a null value if the object does not have it.
const Json& member(const Json& object, const char* name) {
  static const Json kNone;
  const auto found = object.find(name);
  return found == object.end() ? kNone : *found;
}

Result<std::string> string_of(const Json& value, const std::string& what) {
  if (!value.is_string()) return fail(what + " must be a string");
  return value.get<std::string>();
}

Result<std::uint64_t> number_of(const Json& value, const std::string& what, std::uint64_t most) {
  if (!value.is_number_unsigned() || value.get<std::uint64_t>() > most) {
    return fail(fmt::format("{} must be a whole number from 0 to {}", what, most));
  }
  return value.get<std::uint64_t>();
}

// Reads a list of strings. A null value, which is also what member() returns for a missing member, is an empty list.
Result<std::vector<std::string>> strings_of(const Json& value, const std::string& what) {
  std::vector<std::string> strings;
  if (value.is_null()) return strings;
  if (!value.is_array()) return fail(what + " must be a list of strings");
  for (const auto& element : value) strings.push_back(TRY(string_of(element, what)));
  return strings;
}

Result<std::uint32_t> action_of(const Json& name_value, const Json& errno_value, const std::string& what) {
  constexpr std::uint64_t kMostErrno = 4095;  // the kernel's MAX_ERRNO
  const auto name = TRY(string_of(name_value, what));
  for (const auto& known : kActions) {
    if (name != known.name) continue;
    if (!known.takes_errno) return known.value;
    const auto number = errno_value.is_null() ? EPERM : TRY(number_of(errno_value, what + "'s errno", kMostErrno));
    return known.value | static_cast<std::uint32_t>(number);
  }
  return fail(fmt::format("{}: '{}' is not supported", what, text::printable(name)));
}

Result<scmp_arg_cmp> test_of(const Json& json, const std::string& what) {
  if (!json.is_object()) return fail(what + " must be an object");
  scmp_arg_cmp test{};
  test.arg = static_cast<unsigned>(TRY(number_of(member(json, "index"), what + ".index", 5)));
  const auto name = TRY(string_of(member(json, "op"), what + ".op"));
  const auto* known = std::find_if(kComparisons.begin(), kComparisons.end(),
                                   [&name](const NamedComparison& comparison) { return comparison.name == name; });
  if (known == kComparisons.end()) return fail(fmt::format("{}.op: '{}' is unknown", what, text::printable(name)));
  test.op = known->value;
  test.datum_a = TRY(number_of(member(json, "value"), what + ".value", UINT64_MAX));
  if (const auto& second = member(json, "valueTwo"); !second.is_null()) {
    test.datum_b = TRY(number_of(second, what + ".valueTwo", UINT64_MAX));
  }
  return test;
}

// Whether a rule applies, by the conditions in Docker's profiles: architectures, which have Go's names, and
// capabilities. The condition on the kernel's version is ignored, since each kernel that can run isolate is newer than
// any version that a profile names.
Result<bool> applies(const Json& includes, const Json& excludes, const CapabilitySet& capabilities,
                     const std::string& what) {
  const auto holds_any = [](const std::vector<std::string>& names) {
    return std::any_of(names.begin(), names.end(),
                       [](const std::string& name) { return name == "amd64" || name == "x86" || name == "386"; });
  };
  const auto holds = [&capabilities](const std::string& name) {
    const auto parsed = CapabilitySet::parse(name);
    if (!parsed) return false;
    auto rest = *parsed;
    rest.drop(capabilities);
    return rest == CapabilitySet::none();
  };
  for (const auto* condition : {&includes, &excludes}) {
    if (!condition->is_null() && !condition->is_object()) return fail(what + ": includes and excludes are objects");
  }
  if (includes.is_object()) {
    const auto wanted = TRY(strings_of(member(includes, "caps"), what + ".includes.caps"));
    if (!std::all_of(wanted.begin(), wanted.end(), holds)) return false;
    const auto arches = TRY(strings_of(member(includes, "arches"), what + ".includes.arches"));
    if (!arches.empty() && !holds_any(arches)) return false;
  }
  if (excludes.is_object()) {
    const auto unwanted = TRY(strings_of(member(excludes, "caps"), what + ".excludes.caps"));
    if (std::any_of(unwanted.begin(), unwanted.end(), holds)) return false;
    if (holds_any(TRY(strings_of(member(excludes, "arches"), what + ".excludes.arches")))) return false;
  }
  return true;
}

Result<void> add_rules(const Json& json, const std::string& what, const CapabilitySet& capabilities, Profile* profile) {
  if (!json.is_object()) return fail(what + " must be an object");
  if (!TRY(applies(member(json, "includes"), member(json, "excludes"), capabilities, what))) return {};
  Rule rule;
  rule.calls = TRY(strings_of(member(json, "names"), what + ".names"));
  if (const auto& name = member(json, "name"); !name.is_null()) {
    rule.calls.push_back(TRY(string_of(name, what + ".name")));
  }
  if (rule.calls.empty()) return fail(what + " names no system call");
  rule.action = TRY(action_of(member(json, "action"), member(json, "errnoRet"), what + ".action"));
  const auto& tests = member(json, "args");
  if (!tests.is_null() && !tests.is_array()) return fail(what + ".args must be a list");
  bool one_each = true;
  std::vector<scmp_arg_cmp> all;
  for (const auto& test_json : tests) {
    const auto test = TRY(test_of(test_json, what + ".args"));
    one_each &=
        std::none_of(all.begin(), all.end(), [&test](const scmp_arg_cmp& other) { return other.arg == test.arg; });
    all.push_back(test);
  }
  if (one_each) {
    rule.arguments = all;
    profile->rules.push_back(std::move(rule));
    return {};
  }
  // If one argument has several tests, they are alternatives and each becomes a rule, as in other container runtimes
  // (runc).
  for (const auto& test : all) profile->rules.push_back({rule.calls, rule.action, {test}});
  return {};
}

}  // namespace

Result<Profile> parse_oci_profile(std::string_view text, const CapabilitySet& capabilities) {
  const auto json = Json::parse(text, nullptr, false);
  if (json.is_discarded() || !json.is_object()) return fail("is not a JSON object");
  for (const char* unsupported : {"listenerPath", "listenerMetadata"}) {
    if (!member(json, unsupported).is_null()) return fail(fmt::format("{} is not supported", unsupported));
  }
  Profile profile;
  profile.default_action =
      TRY(action_of(member(json, "defaultAction"), member(json, "defaultErrnoRet"), "defaultAction"));
  auto architectures = TRY(strings_of(member(json, "architectures"), "architectures"));
  if (const auto& map = member(json, "archMap"); map.is_array()) {
    for (const auto& entry : map) {
      if (!entry.is_object() || member(entry, "architecture") != "SCMP_ARCH_X86_64") continue;
      for (auto& sub : TRY(strings_of(member(entry, "subArchitectures"), "archMap.subArchitectures"))) {
        architectures.push_back(std::move(sub));
      }
    }
  }
  const auto lists = [&architectures](std::string_view name) {
    return std::find(architectures.begin(), architectures.end(), name) != architectures.end();
  };
  profile.i386 = lists("SCMP_ARCH_X86");
  profile.x32 = lists("SCMP_ARCH_X32");
  const auto& calls = member(json, "syscalls");
  if (!calls.is_null() && !calls.is_array()) return fail("syscalls must be a list");
  std::size_t number = 0;
  for (const auto& rule : calls) {
    TRY_VOID(add_rules(rule, fmt::format("syscalls[{}]", number++), capabilities, &profile));
  }
  return profile;
}

}  // namespace isolate::seccomp
