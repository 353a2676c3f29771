// Seccomp filters: what a guest's programs may ask the kernel for. A Profile is rules, as data; a Filter is the program
// that the kernel runs at each system call. See seccomp(2); of several filters the strictest answer holds.
#pragma once

#include <seccomp.h>

#include <cstdint>
#include <string>
#include <vector>

#include "base/result.h"
#include "linux/capability.h"

namespace isolate::seccomp {

struct Rule {
  std::vector<std::string> calls;  // names that this machine's kernel or library does not know are left out
  std::uint32_t action = SCMP_ACT_ALLOW;
  std::vector<scmp_arg_cmp> arguments;  // all have to hold; one test for each argument at most
};

struct Profile {
  std::uint32_t default_action = SCMP_ACT_ALLOW;
  bool i386 = true;  // programs of 32 bits; without it, and for all other architectures, each call is EPERM
  bool x32 = false;
  std::vector<Rule> rules;
  // What comes before the rules:
  int newest_call =
      -1;  // calls with higher numbers are ENOSYS, as on a kernel that does not have them; -1: no such test
  // personality(2) may ask, and set PER_LINUX, PER_LINUX32, UNAME26 and ADDR_NO_RANDOMIZE; else EPERM
  bool plain_personality = false;
};

// Instructions for seccomp(2): an array of sock_filter, as bytes.
using Filter = std::string;

// Errors: two rules contradict each other; the filter would be longer than the kernel takes (4096 instructions).
Result<Filter> compile(const Profile& profile);

// Refuses (EPERM) what puts bytes into a terminal's input (ioctl TIOCSTI and TIOCLINUX) or stays on one, whatever the
// upper half of the request says, since the kernel does not look at it. `and_vsock`: also sockets to the hypervisor,
// AF_VSOCK.
Profile terminal_profile(bool and_vsock);

// What every guest with a filter is refused (EPERM): that, leases on files and dnotify (fcntl F_SETLEASE and F_NOTIFY),
// and the calls for keys.
Profile least_profile(bool and_vsock);

// What Docker's profile allows with these capabilities, without io_uring, AF_VSOCK and what least_profile() refuses.
// A call that is known and refused is EPERM, one that came after the list was made is ENOSYS, so that programs fall
// back to older ones. It is a list of refusals, since a filter's length counts at each start: the kernel compiles it,
// and asks it once for each call that there is.
Profile call_profile(const CapabilitySet& capabilities);

// A profile in the JSON form of the OCI runtime specification, or of Docker with its conditions on capabilities.
// Errors: plain text that says where the profile is wrong, or what of it is not supported.
Result<Profile> parse_oci_profile(std::string_view text, const CapabilitySet& capabilities);

}  // namespace isolate::seccomp
