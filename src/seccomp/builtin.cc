// The built-in profiles.
#include <errno.h>
#include <linux/capability.h>
#include <linux/fcntl.h>
#include <linux/kd.h>
#include <linux/vt.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include <array>
#include <cstdint>

#include "base/text.h"
#include "seccomp/profile.h"

namespace isolate::seccomp {
namespace {

// The number of the newest system call when the lists below were written. It is the same on all architectures. Newer
// calls are refused until somebody has checked them and raised this number.
constexpr int kNewestCall = 456;  // futex_requeue, Linux 6.7

constexpr int kNoCapability = -1;

struct Refusal {
  int capability;  // a guest that has it may make the calls
  int error;
  const char* calls;
};

// Calls that reach beyond the guest, and calls that ordinary programs never make but that expose much code of the
// kernel.
constexpr std::array kRefusals = {
    Refusal{CAP_DAC_READ_SEARCH, EPERM, "open_by_handle_at"},
    Refusal{CAP_SYS_ADMIN, EPERM,
            "fanotify_init lookup_dcookie mount quotactl quotactl_fd setdomainname sethostname setns umount umount2 "
            "unshare"},
    // The flags of these calls are in memory, which a filter can't read. ENOSYS makes programs use the older calls.
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
            "io_uring_enter io_uring_register io_uring_setup kexec_file_load kexec_load migrate_pages move_pages "
            "pivot_root swapoff swapon userfaultfd"},
    // 32-bit programs can make all socket calls through socketcall(2). Its arguments are in memory, which a filter
    // can't read. ENOSYS makes the C library use the single calls, such as socket(2).
    Refusal{kNoCapability, ENOSYS, "socketcall"},
    // Old calls that the kernel has removed or that no C library of today makes.
    Refusal{kNoCapability, EPERM,
            "_sysctl afs_syscall bdflush break create_module ftime get_kernel_syms getpmsg gtty idle lock mpx "
            "nfsservctl nice oldfstat oldlstat oldolduname oldstat olduname prof profil putpmsg query_module readdir "
            "security sgetmask sigaction signal sigpending sigsuspend ssetmask stty sysfs tuxcall ulimit uselib ustat "
            "vm86 vm86old vserver"},
};

// Calls that the kernel allows with either of two capabilities.
struct AlsoAllowed {
  int capabilities[2];
  const char* call;
};
constexpr std::array kAlsoAllowed = {
    AlsoAllowed{{CAP_SYS_ADMIN, CAP_BPF}, "bpf"},
    AlsoAllowed{{CAP_SYS_ADMIN, CAP_PERFMON}, "perf_event_open"},
    AlsoAllowed{{CAP_SYS_ADMIN, CAP_SYSLOG}, "syslog"},
};

// Requests that type into a terminal, and requests whose effect would remain after the guest has ended and that no
// program needs. Locked modes, a new line discipline and exclusive use would keep others from working with the
// terminal. TIOCCONS redirects the console's messages, and the last three switch off a keyboard or a screen of the
// machine.
constexpr std::array<std::uint64_t, 10> kTerminalRequests = {
    TIOCSTI, TIOCLINUX, TIOCEXCL, TIOCSETD, TIOCCONS, TIOCSLCKTRMIOS, TIOCSSERIAL, KDSETMODE, KDSKBMODE, VT_SETMODE};

constexpr std::uint64_t kNamespaces =
    CLONE_NEWNS | CLONE_NEWCGROUP | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWNET;

scmp_arg_cmp masked(unsigned argument, std::uint64_t mask, std::uint64_t value) {
  return {argument, SCMP_CMP_MASKED_EQ, mask, value};
}

}  // namespace

Profile terminal_profile(bool and_vsock) {
  constexpr std::uint64_t kInt = 0xffffffff;  // the kernel reads only the lower 32 bits of these arguments
  constexpr std::uint32_t kRefuse = SCMP_ACT_ERRNO(EPERM);
  Profile profile;
  for (const std::uint64_t request : kTerminalRequests) {
    profile.rules.push_back({{"ioctl"}, kRefuse, {masked(1, kInt, request)}});
  }
  if (and_vsock) profile.rules.push_back({{"socket"}, kRefuse, {masked(0, kInt, AF_VSOCK)}});
  return profile;
}

Profile least_profile(bool and_vsock) {
  Profile profile = terminal_profile(and_vsock);
  // A process that opens a file waits until another process gives up its lease on the file, for up to 45 seconds
  // (fcntl(2), "Leases"). Only the owner of a file may take a lease, but an id map can make the guest the owner of
  // files that it shares with the host. A guest could then hold up programs of the host. F_NOTIFY would let it watch
  // their accesses.
  for (const std::uint64_t command : {std::uint64_t{F_SETLEASE}, std::uint64_t{F_NOTIFY}}) {
    profile.rules.push_back({{"fcntl", "fcntl64"}, SCMP_ACT_ERRNO(EPERM), {masked(1, 0xffffffff, command)}});
  }
  // The kernel finds the keyring of a user by their id, so a guest with the caller's id would get the caller's keyring.
  profile.rules.push_back({{"add_key", "keyctl", "request_key"}, SCMP_ACT_ERRNO(EPERM), {}});
  return profile;
}

Profile call_profile(const CapabilitySet& capabilities) {
  Profile profile = least_profile(true);
  profile.newest_call = kNewestCall;
  profile.plain_personality = true;
  const auto refuse = [&profile](std::vector<std::string> calls, int error, std::vector<scmp_arg_cmp> arguments = {}) {
    profile.rules.push_back(
        {std::move(calls), SCMP_ACT_ERRNO(static_cast<std::uint32_t>(error)), std::move(arguments)});
  };
  for (const auto& refusal : kRefusals) {
    if (refusal.capability != kNoCapability && capabilities.has(refusal.capability)) continue;
    refuse(text::split(refusal.calls, ' '), refusal.error);
  }
  for (const auto& also : kAlsoAllowed) {
    if (capabilities.has(also.capabilities[0]) || capabilities.has(also.capabilities[1])) continue;
    refuse({also.call}, EPERM);
  }
  if (!capabilities.has(CAP_SYS_ADMIN)) {
    for (std::uint64_t flag = 1; flag <= kNamespaces; flag <<= 1) {
      if ((kNamespaces & flag) != 0) refuse({"clone"}, EPERM, {masked(0, flag, flag)});
    }
  }
  return profile;
}

}  // namespace isolate::seccomp
