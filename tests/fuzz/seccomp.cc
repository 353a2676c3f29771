// A seccomp profile of the OCI. An accepted profile has rules of the form that compile() takes. A small one compiles to
// a program that the kernel accepts (it is interpreted here). The program refuses other machines' calls, gives the
// default answer to a call without a rule, and a rule's answer to a call that only that rule names.
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <map>
#include <set>

#include "fuzz.h"
#include "seccomp/profile.h"

namespace isolate::fuzz {
namespace {

using seccomp::Filter;
using seccomp::Profile;
using seccomp::Rule;

constexpr std::uint32_t kRefused = SECCOMP_RET_ERRNO | EPERM;

void expect_known_action(std::uint32_t action) {
  const auto kind = action & SECCOMP_RET_ACTION_FULL;
  const auto data = action & SECCOMP_RET_DATA;
  const bool has_data = kind == SECCOMP_RET_ERRNO || kind == SECCOMP_RET_TRACE;
  const std::set<std::uint32_t> known = {SECCOMP_RET_KILL_PROCESS, SECCOMP_RET_KILL_THREAD, SECCOMP_RET_TRAP,
                                         SECCOMP_RET_ERRNO,        SECCOMP_RET_TRACE,       SECCOMP_RET_LOG,
                                         SECCOMP_RET_ALLOW};
  expect(known.contains(kind) && data <= (has_data ? 4095U : 0U), "an action is one of the kernel's",
         std::to_string(action));
}

void expect_form(const Profile& profile) {
  expect_known_action(profile.default_action);
  for (const auto& rule : profile.rules) {
    expect_known_action(rule.action);
    expect(!rule.calls.empty(), "a rule names a call");
    std::set<unsigned> tested;
    for (const auto& test : rule.arguments) {
      expect(test.arg <= 5, "a system call has six arguments");
      expect(tested.insert(test.arg).second, "a rule tests an argument once");
      expect(test.op >= SCMP_CMP_NE && test.op <= SCMP_CMP_MASKED_EQ, "a test compares");
    }
  }
}

// Returns the program's answer to a call, and checks the rules of the kernel's seccomp_check_filter().
std::uint32_t answer(const Filter& filter, const seccomp_data& call) {
  std::vector<sock_filter> program(filter.size() / sizeof(sock_filter));
  std::memcpy(program.data(), filter.data(), filter.size());
  std::uint32_t accumulator = 0;
  for (std::size_t at = 0; at < program.size(); ++at) {
    const auto& step = program[at];
    switch (step.code) {
      case BPF_LD | BPF_W | BPF_ABS:
        expect(step.k % 4 == 0 && step.k < sizeof call, "a program loads from the call alone");
        std::memcpy(&accumulator, reinterpret_cast<const char*>(&call) + step.k, sizeof accumulator);
        break;
      case BPF_ALU | BPF_AND | BPF_K:
        accumulator &= step.k;
        break;
      case BPF_JMP | BPF_JA:
        at += step.k;
        break;
      case BPF_JMP | BPF_JEQ | BPF_K:
        at += accumulator == step.k ? step.jt : step.jf;
        break;
      case BPF_JMP | BPF_JGT | BPF_K:
        at += accumulator > step.k ? step.jt : step.jf;
        break;
      case BPF_JMP | BPF_JGE | BPF_K:
        at += accumulator >= step.k ? step.jt : step.jf;
        break;
      case BPF_RET | BPF_K:
        return step.k;
      default:
        expect(false, "a program has steps that the kernel knows", std::to_string(step.code));
    }
  }
  expect(false, "a program comes to an answer");
  return 0;
}

bool holds(const scmp_arg_cmp& test, const seccomp_data& call) {
  const auto value = call.args[test.arg];
  switch (test.op) {
    case SCMP_CMP_NE:
      return value != test.datum_a;
    case SCMP_CMP_LT:
      return value < test.datum_a;
    case SCMP_CMP_LE:
      return value <= test.datum_a;
    case SCMP_CMP_EQ:
      return value == test.datum_a;
    case SCMP_CMP_GE:
      return value >= test.datum_a;
    case SCMP_CMP_GT:
      return value > test.datum_a;
    default:  // seccomp_rule_add(3): "the masked datum value"
      return (value & test.datum_a) == (test.datum_b & test.datum_a);
  }
}

// Returns calls of this number at the edges of what the rule tests: each argument at, below and above its numbers.
std::vector<seccomp_data> calls_at_the_edges(int number, const Rule& rule) {
  std::vector<seccomp_data> calls;
  for (const std::uint64_t offset : {std::uint64_t{0}, std::uint64_t{1}, UINT64_MAX, std::uint64_t{1} << 32}) {
    for (const bool second : {false, true}) {
      seccomp_data call{number, AUDIT_ARCH_X86_64, 0, {}};
      for (const auto& test : rule.arguments) call.args[test.arg] = (second ? test.datum_b : test.datum_a) + offset;
      calls.push_back(call);
    }
  }
  return calls;
}

void expect_answers(const Profile& profile, const Filter& filter) {
  std::map<int, std::vector<const Rule*>> named = {{0, {}}, {39, {}}, {200, {}}, {334, {}}, {511, {}}};
  for (const auto& rule : profile.rules) {
    for (const auto& name : rule.calls) {
      const int number = ::seccomp_syscall_resolve_name(name.c_str());
      if (number >= 0) named[number].push_back(&rule);
    }
  }
  for (const auto& [number, rules] : named) {
    if (rules.empty()) {
      expect(answer(filter, {number, AUDIT_ARCH_X86_64, 0, {}}) == profile.default_action,
             "a call that no rule names gets the default answer", std::to_string(number));
    }
    if (rules.size() != 1) continue;
    for (const auto& call : calls_at_the_edges(number, *rules[0])) {
      const auto& tests = rules[0]->arguments;
      const bool all = std::all_of(tests.begin(), tests.end(), [&call](const auto& test) { return holds(test, call); });
      expect(answer(filter, call) == (all ? rules[0]->action : profile.default_action),
             "a call that one rule names gets the rule's answer if its tests hold", std::to_string(number));
    }
  }
}

void expect_other_machines_refused(const Profile& profile, const Filter& filter) {
  constexpr int kX32 = 0x40000000;
  expect(answer(filter, {1, AUDIT_ARCH_AARCH64, 0, {}}) == kRefused, "another machine's calls are EPERM");
  expect(profile.i386 || answer(filter, {1, AUDIT_ARCH_I386, 0, {}}) == kRefused, "calls of i386 are EPERM");
  expect(profile.x32 || answer(filter, {kX32 + 1, AUDIT_ARCH_X86_64, 0, {}}) == kRefused, "calls of x32 are EPERM");
}

bool is_small(const Profile& profile) {
  constexpr std::size_t kMost = 12;
  std::size_t calls = 0;
  for (const auto& rule : profile.rules) calls += rule.calls.size();
  return calls <= kMost;
}

}  // namespace
}  // namespace isolate::fuzz

using namespace isolate;

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto text = fuzz::as_text(data, size);
  const auto profile = seccomp::parse_oci_profile(text, CapabilitySet::docker_default());
  if (!profile) {
    fuzz::expect_printable(profile.error());
    return 0;
  }
  fuzz::expect_form(*profile);
  if (!fuzz::is_small(*profile)) return 0;
  const auto filter = seccomp::compile(*profile);
  if (!filter) {
    fuzz::expect_printable(filter.error());
    return 0;
  }
  fuzz::expect(!filter->empty() && filter->size() % sizeof(sock_filter) == 0, "a program is whole instructions");
  fuzz::expect_answers(*profile, *filter);
  fuzz::expect_other_machines_refused(*profile, *filter);
  return 0;
}
