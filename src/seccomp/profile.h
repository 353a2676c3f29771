// Seccomp filters (seccomp(2)), which decide what system calls a guest's programs may make. A Profile is a set of rules
// as plain data. A Filter is the program that the kernel runs at each system call. If a process has several filters,
// the kernel uses the strictest answer.
#pragma once

#include <seccomp.h>

#include <cstdint>
#include <string>
#include <vector>

#include "base/result.h"
#include "linux/capability.h"

namespace isolate::seccomp {

struct Rule {
  std::vector<std::string> calls;  // names of system calls; compile() skips those that libseccomp does not know
  std::uint32_t action = SCMP_ACT_ALLOW;
  std::vector<scmp_arg_cmp> arguments;  // the rule applies if all tests are true; at most one test for each argument
};

struct Profile {
  std::uint32_t default_action = SCMP_ACT_ALLOW;
  bool i386 = true;  // allow 32-bit programs; each call of an architecture that is not allowed fails with EPERM
  bool x32 = false;
  std::vector<Rule> rules;
  // The next two are tested before the rules.
  // Calls with higher numbers fail with ENOSYS, as on a kernel that does not have them. -1: no such test.
  int newest_call = -1;
  // personality(2) may only read the personality, or set it to a combination of PER_LINUX, PER_LINUX32, UNAME26 and
  // ADDR_NO_RANDOMIZE. Everything else fails with EPERM.
  bool plain_personality = false;
};

// The instructions for seccomp(2): an array of sock_filter as bytes.
using Filter = std::string;

// Compiles a profile. Errors: two rules contradict each other; the filter would be longer than the kernel accepts (4096
// instructions, BPF_MAXINSNS).
Result<Filter> compile(const Profile& profile);

// Refuses, with EPERM, the ioctl requests that type into a terminal (TIOCSTI and TIOCLINUX) or change a terminal in a
// way that remains after the guest has ended. The upper 32 bits of a request are ignored, as the kernel ignores them.
// `and_vsock` also refuses sockets to the hypervisor (AF_VSOCK).
Profile terminal_profile(bool and_vsock);

// Refuses, with EPERM, what every guest with a filter is refused: the calls of terminal_profile(), leases on files and
// dnotify (fcntl F_SETLEASE and F_NOTIFY), and the calls for keys.
Profile least_profile(bool and_vsock);

// Allows what Docker's default profile allows for these capabilities, except io_uring, AF_VSOCK and what
// least_profile() refuses. A refused call fails with EPERM. A call that is newer than the list fails with ENOSYS, so
// that programs use an older one. The profile lists what is refused and not what is allowed, because a long filter
// slows down each start of a guest: the kernel compiles the filter, and runs it once for each existing call to build a
// bitmap of allowed calls.
Profile call_profile(const CapabilitySet& capabilities);

// Parses a profile in the JSON format of the OCI runtime specification, or in Docker's format with its conditions on
// capabilities. Errors: plain text that names the place in the profile, and what is wrong or not supported there.
Result<Profile> parse_oci_profile(std::string_view text, const CapabilitySet& capabilities);

}  // namespace isolate::seccomp
