#include "seccomp/profile.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/testing.h"

namespace isolate::seccomp {
namespace {

using test::message_of;
using test::must;

// Makes a system call in a child that has the filters, and returns its errno, or 0 for success.
int errno_under(const std::vector<Profile>& profiles, long number, std::vector<unsigned long> arguments) {
  arguments.resize(6);
  int result = -1;
  auto outcome = test::outcome_in_child([&]() -> Result<void> {
    if (::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) return fail(errno, "no_new_privs");
    for (const auto& profile : profiles) {
      auto filter = TRY(compile(profile));
      sock_fprog program{static_cast<unsigned short>(filter.size() / sizeof(sock_filter)),
                         reinterpret_cast<sock_filter*>(filter.data())};
      if (::syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program) != 0) return fail(errno, "seccomp");
    }
    const long returned =
        ::syscall(number, arguments[0], arguments[1], arguments[2], arguments[3], arguments[4], arguments[5]);
    return fail(returned < 0 ? errno : 0, "result");
  });
  result = outcome.error().code();
  return result;
}

constexpr unsigned long kNoFd = 4000;
constexpr unsigned long kHigh = 1UL << 40;

TEST(TerminalProfileTest, RequestsThatTypeIntoATerminalAreRefused) {
  for (const unsigned long request : {0UL + TIOCSTI, 0UL + TIOCLINUX, 0UL + TIOCEXCL, 0UL + TIOCSETD, 0UL + TIOCCONS}) {
    EXPECT_EQ(errno_under({terminal_profile(false)}, SYS_ioctl, {kNoFd, request}), EPERM);
    EXPECT_EQ(errno_under({terminal_profile(false)}, SYS_ioctl, {kNoFd, request | kHigh}), EPERM)
        << "the kernel ignores the upper 32 bits";
  }
}

TEST(TerminalProfileTest, OtherRequestsAreAllowed) {
  for (const unsigned long request : {0UL + TIOCSWINSZ, 0UL + TIOCNOTTY, 0UL + TCSETS, 0UL + TIOCSPGRP}) {
    EXPECT_EQ(errno_under({terminal_profile(false)}, SYS_ioctl, {kNoFd, request}), EBADF);
  }
}

TEST(TerminalProfileTest, SocketsToTheHypervisorAreRefusedOnRequest) {
  EXPECT_EQ(errno_under({terminal_profile(true)}, SYS_socket, {AF_VSOCK, SOCK_STREAM}), EPERM);
  EXPECT_EQ(errno_under({terminal_profile(true)}, SYS_socket, {AF_VSOCK | kHigh, SOCK_STREAM}), EPERM);
  EXPECT_EQ(errno_under({terminal_profile(true)}, SYS_socket, {AF_UNIX, SOCK_STREAM}), 0);
  EXPECT_NE(errno_under({terminal_profile(false)}, SYS_socket, {AF_VSOCK, SOCK_STREAM}), EPERM);
}

TEST(LeastProfileTest, LeasesAreRefusedAndOtherCommandsOfFcntlAreAllowed) {
  for (const unsigned long command : {0UL + F_SETLEASE, 0UL + F_NOTIFY}) {
    EXPECT_EQ(errno_under({least_profile(false)}, SYS_fcntl, {kNoFd, command}), EPERM);
    EXPECT_EQ(errno_under({least_profile(false)}, SYS_fcntl, {kNoFd, command | kHigh}), EPERM);
    EXPECT_EQ(errno_under({terminal_profile(false)}, SYS_fcntl, {kNoFd, command}), EBADF);
  }
  for (const unsigned long command : {0UL + F_GETLEASE, 0UL + F_SETLK, 0UL + F_DUPFD_CLOEXEC, 0UL + F_SETPIPE_SZ}) {
    EXPECT_EQ(errno_under({least_profile(false)}, SYS_fcntl, {kNoFd, command}), EBADF);
  }
}

TEST(LeastProfileTest, CallsForKeysAndTypingIntoATerminalAreRefused) {
  for (const long number : {SYS_keyctl, SYS_add_key, SYS_request_key}) {
    EXPECT_EQ(errno_under({least_profile(false)}, number, {kNoFd}), EPERM);
  }
  EXPECT_EQ(errno_under({least_profile(false)}, SYS_ioctl, {kNoFd, TIOCSTI}), EPERM);
}

int errno_of(long number, std::vector<unsigned long> arguments = {},
             const CapabilitySet& capabilities = CapabilitySet::docker_default()) {
  return errno_under({call_profile(capabilities)}, number, std::move(arguments));
}

TEST(CallProfileTest, CallsThatReachBeyondTheGuestAreRefused) {
  for (const long number :
       {SYS_mount,           SYS_umount2, SYS_unshare,           SYS_setns,       SYS_pivot_root,     SYS_bpf,
        SYS_perf_event_open, SYS_keyctl,  SYS_add_key,           SYS_request_key, SYS_kexec_load,     SYS_init_module,
        SYS_reboot,          SYS_swapon,  SYS_open_by_handle_at, SYS_userfaultfd, SYS_io_uring_setup, SYS_syslog,
        SYS_move_pages,      SYS_iopl,    SYS_settimeofday,      SYS_acct,        SYS_quotactl}) {
    EXPECT_EQ(errno_of(number, {kNoFd, kNoFd, kNoFd, kNoFd}), EPERM) << number;
  }
}

TEST(CallProfileTest, ACallWithAnOlderEquivalentFailsWithEnosys) {
  for (const long number : {SYS_clone3, SYS_open_tree, SYS_move_mount, SYS_fsopen, SYS_fsconfig, SYS_fsmount,
                            SYS_fspick, SYS_mount_setattr}) {
    EXPECT_EQ(errno_of(number), ENOSYS) << number;
  }
  EXPECT_EQ(errno_of(500), ENOSYS) << "a call that is newer than the list";
}

TEST(CallProfileTest, CallsThatProgramsNeedAreAllowed) {
  EXPECT_EQ(errno_of(SYS_getpid), 0);
  EXPECT_EQ(errno_of(SYS_read, {kNoFd}), EBADF);
  EXPECT_EQ(errno_of(SYS_chroot, {0}), EFAULT) << "Docker's default capabilities hold CAP_SYS_CHROOT";
  EXPECT_EQ(errno_of(SYS_ptrace, {0x4206, kNoFd << 10}), ESRCH);
  EXPECT_EQ(errno_of(SYS_personality, {0xffffffff}), 0);
  EXPECT_EQ(errno_of(SYS_personality, {0x40000}), 0) << "ADDR_NO_RANDOMIZE";
  EXPECT_EQ(errno_of(SYS_personality, {0x40008}), 0) << "the same with PER_LINUX32";
  EXPECT_EQ(errno_of(SYS_personality, {0x400000}), EPERM) << "READ_IMPLIES_EXEC";
  EXPECT_EQ(errno_of(SYS_personality, {0x440000}), EPERM) << "READ_IMPLIES_EXEC and ADDR_NO_RANDOMIZE";
}

TEST(CallProfileTest, CloneMayMakeProcessesButNotNamespaces) {
  for (const unsigned long flag : {0UL + CLONE_NEWUSER, 0UL + CLONE_NEWNS, 0UL + CLONE_NEWPID, 0UL + CLONE_NEWNET,
                                   0UL + CLONE_NEWUTS, 0UL + CLONE_NEWIPC, 0UL + CLONE_NEWCGROUP}) {
    EXPECT_EQ(errno_of(SYS_clone, {flag | SIGCHLD}), EPERM) << flag;
  }
  EXPECT_EQ(errno_of(SYS_clone, {CLONE_THREAD}), EINVAL) << "the kernel's own answer: without CLONE_SIGHAND";
}

TEST(CallProfileTest, ACapabilityAllowsTheCallsThatNeedIt) {
  const auto admin = must(CapabilitySet::parse("SYS_ADMIN"));
  EXPECT_EQ(errno_of(SYS_mount, {0, 0, 0, 0}, admin), EFAULT);
  EXPECT_EQ(errno_of(SYS_clone3, {0, 0}, admin), EINVAL);
  EXPECT_EQ(errno_of(SYS_chroot, {0}, admin), EPERM) << "CAP_SYS_CHROOT is not among them";
  EXPECT_NE(errno_of(SYS_bpf, {kNoFd}, must(CapabilitySet::parse("BPF"))), EPERM);
}

constexpr const char* kAllowAllBut = R"({"defaultAction": "SCMP_ACT_ALLOW", "architectures": ["SCMP_ARCH_X86_64"],
    "syscalls": [{"names": ["getppid", "no_such_call"], "action": "SCMP_ACT_ERRNO", "errnoRet": 7%s}]})";

Profile parsed(const std::string& more, const CapabilitySet& capabilities = {}) {
  char text[1024];
  std::snprintf(text, sizeof text, kAllowAllBut, more.c_str());
  return must(parse_oci_profile(text, capabilities));
}

TEST(OciProfileTest, ARuleRefusesItsCallAndNoOther) {
  EXPECT_EQ(errno_under({parsed("")}, SYS_getppid, {}), 7);
  EXPECT_EQ(errno_under({parsed("")}, SYS_getpid, {}), 0);
}

TEST(OciProfileTest, ARuleAppliesOnlyIfItsConditionsAreMet) {
  const auto bpf = must(CapabilitySet::parse("BPF"));
  const char* without = R"(, "excludes": {"caps": ["CAP_BPF"]})";
  EXPECT_EQ(errno_under({parsed(without)}, SYS_getppid, {}), 7);
  EXPECT_EQ(errno_under({parsed(without, bpf)}, SYS_getppid, {}), 0);
  const char* with = R"(, "includes": {"caps": ["CAP_BPF"]})";
  EXPECT_EQ(errno_under({parsed(with)}, SYS_getppid, {}), 0);
  EXPECT_EQ(errno_under({parsed(with, bpf)}, SYS_getppid, {}), 7);
  EXPECT_EQ(errno_under({parsed(R"(, "includes": {"arches": ["s390x"]})")}, SYS_getppid, {}), 0);
}

TEST(OciProfileTest, SeveralTestsOfOneArgumentAreAlternatives) {
  const auto profile = must(parse_oci_profile(R"({"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [
      {"names": ["close"], "action": "SCMP_ACT_ERRNO", "errnoRet": 9, "args": [
        {"index": 0, "op": "SCMP_CMP_EQ", "value": 1}, {"index": 0, "op": "SCMP_CMP_EQ", "value": 2}]}]})",
                                              {}));
  EXPECT_EQ(errno_under({profile}, SYS_close, {1}), 9);
  EXPECT_EQ(errno_under({profile}, SYS_close, {2}), 9);
  EXPECT_EQ(errno_under({profile}, SYS_close, {0}), 0);
}

TEST(OciProfileTest, ErrorsNameThePlaceInTheProfile) {
  const auto message = [](const char* text) { return message_of(parse_oci_profile(text, {})); };
  EXPECT_EQ(message("["), "is not a JSON object");
  EXPECT_EQ(message("{}"), "defaultAction must be a string");
  EXPECT_EQ(message(R"({"defaultAction": "SCMP_ACT_NOTIFY"})"), "defaultAction: 'SCMP_ACT_NOTIFY' is not supported");
  EXPECT_EQ(message(R"({"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [{"names": ["read"]}]})"),
            "syscalls[0].action must be a string");
  EXPECT_EQ(message(R"({"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [{"action": "SCMP_ACT_LOG"}]})"),
            "syscalls[0] names no system call");
  EXPECT_EQ(message(R"({"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [{"names": ["read"], "action": "SCMP_ACT_LOG",
                        "args": [{"index": 6, "op": "SCMP_CMP_EQ", "value": 1}]}]})"),
            "syscalls[0].args.index must be a whole number from 0 to 5");
  EXPECT_EQ(message(R"({"defaultAction": "SCMP_ACT_ALLOW", "listenerPath": "/x"})"), "listenerPath is not supported");
}

}  // namespace
}  // namespace isolate::seccomp
