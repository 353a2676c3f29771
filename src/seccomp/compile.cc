#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <sys/mman.h>
#include <unistd.h>

#include "linux/file.h"
#include "seccomp/profile.h"

namespace isolate::seccomp {
namespace {

// Owns a filter in the making.
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

// libseccomp gives errno as a negative number.
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

}  // namespace

Result<Filter> compile(const Profile& profile) {
  const Context context(profile.default_action);
  if (context.get() == nullptr) return fail("seccomp: the default action is not one that the kernel knows");
  TRY_VOID(check(::seccomp_attr_set(context.get(), SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_ERRNO(EPERM)), "architecture"));
  // A search tree instead of a list: a long list would cost at each call.
  TRY_VOID(check(::seccomp_attr_set(context.get(), SCMP_FLTATR_CTL_OPTIMIZE, 2), "search tree"));
  if (profile.i386) TRY_VOID(check(::seccomp_arch_add(context.get(), SCMP_ARCH_X86), "i386"));
  if (profile.x32) TRY_VOID(check(::seccomp_arch_add(context.get(), SCMP_ARCH_X32), "x32"));
  for (const auto& rule : profile.rules) {
    // The library refuses a rule that says what holds anyway.
    if (rule.action != profile.default_action) TRY_VOID(add_rule(context, rule));
  }
  const Fd file(::memfd_create("seccomp", MFD_CLOEXEC));
  if (!file) return fail(errno, "memfd_create");
  TRY_VOID(check(::seccomp_export_bpf(context.get(), file.get()), "export"));
  if (::lseek(file.get(), 0, SEEK_SET) != 0) return fail(errno, "lseek");
  auto filter = TRY(read_all(file.get()));
  if (filter.size() / sizeof(sock_filter) > BPF_MAXINSNS) return fail(E2BIG, "seccomp filter");
  return filter;
}

}  // namespace isolate::seccomp
