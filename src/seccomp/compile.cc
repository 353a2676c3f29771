#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/mman.h>
#include <sys/personality.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cstddef>
#include <cstdint>

#include "linux/file.h"
#include "seccomp/profile.h"

namespace isolate::seccomp {
namespace {

// Owns libseccomp's object for a filter that is being built.
class Context {
 public:
  explicit Context(std::uint32_t default_action) : context_(::seccomp_init(default_action)) {}
  Context(const Context&) = delete;
  Context& operator=(const Context&) = delete;
  ~Context() {
    if (context_ != nullptr) ::seccomp_release(context_);
  }
  scmp_filter_ctx get() const { return context_; }

 private:
  scmp_filter_ctx context_;
};

// libseccomp returns an error as a negative errno.
Result<void> check(int returned, const std::string& what) {
  if (returned < 0) return fail(-returned, "seccomp " + what);
  return {};
}

Result<void> add_rule(const Context& context, const Rule& rule) {
  for (const auto& name : rule.calls) {
    const int number = ::seccomp_syscall_resolve_name(name.c_str());
    if (number == __NR_SCMP_ERROR) continue;
    TRY_VOID(check(::seccomp_rule_add_array(context.get(), rule.action, number,
                                            static_cast<unsigned>(rule.arguments.size()), rule.arguments.data()),
                   "rule for " + name));
  }
  return {};
}

// System calls of the x32 ABI have this bit set in their number. The rules refuse them with their own test of the
// architecture, so the test for new calls must let them pass.
constexpr std::uint32_t kX32 = 0x40000000;

constexpr std::uint32_t kPersonalityI386 = 136;  // its number in arch/x86/entry/syscalls/syscall_32.tbl
// Debuggers and some test suites run a program with ADDR_NO_RANDOMIZE. It weakens only that program.
constexpr std::uint32_t kPlainPersonality = static_cast<std::uint32_t>(PER_LINUX32) |
                                            static_cast<std::uint32_t>(UNAME26) |
                                            static_cast<std::uint32_t>(ADDR_NO_RANDOMIZE);

// Makes the instructions that stand before those of libseccomp. They refuse a call, or continue with the next
// instruction. libseccomp can't do these tests: it has no ranges of calls, and allows only one test of each argument in
// a rule. The two offsets of a jump, for "true" and "false", count from the next instruction.
Filter tests_before_rules(const Profile& profile) {
  std::vector<sock_filter> tests;
  const auto load = [&tests](std::size_t offset) {
    tests.push_back(BPF_STMT(BPF_LD | BPF_W | BPF_ABS, static_cast<std::uint32_t>(offset)));
  };
  const auto test = [&tests](unsigned short comparison, std::uint32_t value, unsigned char if_so,
                             unsigned char if_not) {
    tests.push_back(sock_filter{static_cast<unsigned short>(BPF_JMP | BPF_K | comparison), if_so, if_not, value});
  };
  const auto answer = [&tests](std::uint32_t action) { tests.push_back(BPF_STMT(BPF_RET | BPF_K, action)); };
  if (profile.newest_call >= 0) {
    load(offsetof(seccomp_data, nr));
    test(BPF_JGE, kX32, 2, 0);
    test(BPF_JGT, static_cast<std::uint32_t>(profile.newest_call), 0, 1);
    answer(SCMP_ACT_ERRNO(ENOSYS));
  }
  if (profile.plain_personality) {
    load(offsetof(seccomp_data, arch));
    test(BPF_JEQ, AUDIT_ARCH_X86_64, 1, 0);
    test(BPF_JEQ, AUDIT_ARCH_I386, 2, 8);
    load(offsetof(seccomp_data, nr));
    test(BPF_JEQ, __NR_personality, 2, 6);
    load(offsetof(seccomp_data, nr));
    test(BPF_JEQ, kPersonalityI386, 0, 4);
    load(offsetof(seccomp_data, args));  // the lower 32 bits of the first argument, which are all that the kernel uses
    test(BPF_JEQ, 0xffffffff, 2, 0);
    test(BPF_JSET, ~kPlainPersonality, 0, 1);
    answer(SCMP_ACT_ERRNO(EPERM));
  }
  return {reinterpret_cast<const char*>(tests.data()), tests.size() * sizeof(sock_filter)};
}

}  // namespace

Result<Filter> compile(const Profile& profile) {
  const Context context(profile.default_action);
  if (context.get() == nullptr) return fail("seccomp: libseccomp does not accept the profile's default action");
  TRY_VOID(check(::seccomp_attr_set(context.get(), SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_ERRNO(EPERM)), "architecture"));
  // Level 2 makes a binary search tree of the rules instead of a list, so that a long list does not slow down each call
  // (seccomp_attr_set(3)).
  TRY_VOID(check(::seccomp_attr_set(context.get(), SCMP_FLTATR_CTL_OPTIMIZE, 2), "search tree"));
  if (profile.i386) TRY_VOID(check(::seccomp_arch_add(context.get(), SCMP_ARCH_X86), "i386"));
  if (profile.x32) TRY_VOID(check(::seccomp_arch_add(context.get(), SCMP_ARCH_X32), "x32"));
  for (const auto& rule : profile.rules) {
    // libseccomp refuses a rule whose action is the default action. Such a rule has no effect, so leave it out.
    if (rule.action != profile.default_action) TRY_VOID(add_rule(context, rule));
  }
  const Fd file(::memfd_create("seccomp", MFD_CLOEXEC));
  if (!file) return fail(errno, "memfd_create");
  TRY_VOID(check(::seccomp_export_bpf(context.get(), file.get()), "export"));
  if (::lseek(file.get(), 0, SEEK_SET) != 0) return fail(errno, "lseek");
  auto filter = tests_before_rules(profile) + TRY(read_all(file.get()));
  if (filter.size() / sizeof(sock_filter) > BPF_MAXINSNS) return fail(E2BIG, "seccomp filter");
  return filter;
}

}  // namespace isolate::seccomp
