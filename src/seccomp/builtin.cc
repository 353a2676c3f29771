// The profiles that isolate brings with it.
#include <errno.h>
#include <linux/capability.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cstdlib>

#include "base/text.h"
#include "seccomp/profile.h"

namespace isolate::seccomp {
namespace {

// An architecture's calls have numbers from 0 to about 500. The list was made when this one was the newest of all
// architectures; what is newer is not allowed before somebody has looked at it.
constexpr int kNewestCall = 456;  // futex_requeue, Linux 6.7

constexpr int kNoCapability = -1;

struct Refusal {
  int capability;  // whoever has it may
  int error;
  const char* calls;
};

// What reaches beyond the guest, or much of the kernel that ordinary programs never ask for.
constexpr std::array kRefusals = {
    Refusal{CAP_DAC_READ_SEARCH, EPERM, "open_by_handle_at"},
    Refusal{CAP_SYS_ADMIN, EPERM,
            "fanotify_init lookup_dcookie mount quotactl quotactl_fd setdomainname sethostname setns umount umount2 "
            "unshare"},
    // Their flags are in memory, where a filter can't look; programs fall back to the older calls.
    Refusal{CAP_SYS_ADMIN, ENOSYS, "clone3 fsconfig fsmount fsopen fspick mount_setattr move_mount open_tree"},
    Refusal{CAP_SYS_BOOT, EPERM, "reboot"},
    Refusal{CAP_SYS_CHROOT, EPERM, "chroot"},
    Refusal{CAP_SYS_MODULE, EPERM, "delete_module finit_module init_module"},
    Refusal{CAP_SYS_PACCT, EPERM, "acct"},
    Refusal{CAP_SYS_PTRACE, EPERM, "kcmp pidfd_getfd process_madvise"},
    Refusal{CAP_SYS_RAWIO, EPERM, "ioperm iopl"},
    Refusal{CAP_SYS_TIME, EPERM, "clock_settime clock_settime64 settimeofday stime"},
    Refusal{CAP_SYS_TTY_CONFIG, EPERM, "vhangup"},
    Refusal{CAP_SYS_NICE, EPERM, "get_mempolicy mbind set_mempolicy set_mempolicy_home_node"},
    Refusal{kNoCapability, EPERM,
            "add_key io_uring_enter io_uring_register io_uring_setup kexec_file_load kexec_load keyctl migrate_pages "
            "move_pages pivot_root request_key swapoff swapon userfaultfd"},
    // The arguments of a 32-bit program's sockets would be in memory; it falls back to a call each.
    Refusal{kNoCapability, ENOSYS, "socketcall"},
    // Old calls that the kernel has dropped or that no C library of today makes.
    Refusal{kNoCapability, EPERM,
            "_sysctl afs_syscall bdflush break create_module ftime get_kernel_syms getpmsg gtty idle lock mpx "
            "nfsservctl nice oldfstat oldlstat oldolduname oldstat olduname prof profil putpmsg query_module readdir "
            "security sgetmask sigaction signal sigpending sigsuspend ssetmask stty sysfs tuxcall ulimit uselib ustat "
            "vm86 vm86old vserver"},
};

// Allowed with any one of two capabilities, as the kernel itself asks for them.
struct AlsoAllowed {
  int capabilities[2];
  const char* call;
};
constexpr std::array kAlsoAllowed = {
    AlsoAllowed{{CAP_SYS_ADMIN, CAP_BPF}, "bpf"},
    AlsoAllowed{{CAP_SYS_ADMIN, CAP_PERFMON}, "perf_event_open"},
    AlsoAllowed{{CAP_SYS_ADMIN, CAP_SYSLOG}, "syslog"},
};

// Allowed by their arguments only.
constexpr std::uint64_t kNamespaces =
    CLONE_NEWNS | CLONE_NEWCGROUP | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWNET;
constexpr std::array kPersonalities = {0x0U, 0x8U, 0x20000U, 0x20008U,
                                       0xffffffffU};  // Linux, 32 bits, old uname, query

std::vector<std::string> known_calls() {
  std::vector<std::string> names;
  for (const std::uint32_t architecture : {std::uint32_t{SCMP_ARCH_X86_64}, std::uint32_t{SCMP_ARCH_X86}}) {
    for (int number = 0; number <= kNewestCall; ++number) {
      char* name = ::seccomp_syscall_resolve_num_arch(architecture, number);
      if (name == nullptr) continue;
      names.emplace_back(name);
      ::free(name);
    }
  }
  std::sort(names.begin(), names.end());
  names.erase(std::unique(names.begin(), names.end()), names.end());
  return names;
}

scmp_arg_cmp equals(unsigned argument, std::uint64_t value) { return {argument, SCMP_CMP_EQ, value, 0}; }
scmp_arg_cmp masked(unsigned argument, std::uint64_t mask, std::uint64_t value) {
  return {argument, SCMP_CMP_MASKED_EQ, mask, value};
}

}  // namespace

Profile terminal_profile(bool and_vsock) {
  constexpr std::uint64_t kInt = 0xffffffff;  // the kernel takes no more of these arguments
  constexpr std::uint32_t kRefuse = SCMP_ACT_ERRNO(EPERM);
  Profile profile;
  for (const std::uint64_t request : {std::uint64_t{TIOCSTI}, std::uint64_t{TIOCLINUX}}) {
    profile.rules.push_back({{"ioctl"}, kRefuse, {masked(1, kInt, request)}});
  }
  if (and_vsock) profile.rules.push_back({{"socket"}, kRefuse, {masked(0, kInt, AF_VSOCK)}});
  return profile;
}

Profile call_profile(const CapabilitySet& capabilities) {
  Profile profile;
  profile.default_action = SCMP_ACT_ERRNO(ENOSYS);
  auto allowed = known_calls();
  const auto take = [&allowed](const std::string& call) { std::erase(allowed, call); };
  for (const auto& refusal : kRefusals) {
    if (refusal.capability != kNoCapability && capabilities.has(refusal.capability)) continue;
    const auto calls = text::split(refusal.calls, ' ');
    for (const auto& call : calls) take(call);
    profile.rules.push_back({calls, SCMP_ACT_ERRNO(static_cast<std::uint32_t>(refusal.error)), {}});
  }
  for (const auto& also : kAlsoAllowed) {
    if (capabilities.has(also.capabilities[0]) || capabilities.has(also.capabilities[1])) continue;
    take(also.call);
    profile.rules.push_back({{also.call}, SCMP_ACT_ERRNO(EPERM), {}});
  }
  take("personality");
  for (const auto value : kPersonalities)
    profile.rules.push_back({{"personality"}, SCMP_ACT_ALLOW, {equals(0, value)}});
  if (!capabilities.has(CAP_SYS_ADMIN)) {
    take("clone");
    profile.rules.push_back({{"clone"}, SCMP_ACT_ALLOW, {masked(0, kNamespaces, 0)}});
    for (int bit = 0; bit < 32; ++bit) {
      const std::uint64_t flag = std::uint64_t{1} << bit;
      if ((kNamespaces & flag) != 0) {
        profile.rules.push_back({{"clone"}, SCMP_ACT_ERRNO(EPERM), {masked(0, flag, flag)}});
      }
    }
  }
  profile.rules.push_back({allowed, SCMP_ACT_ALLOW, {}});
  return profile;
}

}  // namespace isolate::seccomp
