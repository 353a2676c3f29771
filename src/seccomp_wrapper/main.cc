// seccomp_wrapper COMMAND [ARG...]: applies the terminal's seccomp filter and executes COMMAND, which then can't type
// into its terminal (ioctl TIOCSTI and TIOCLINUX). The program needs no other file in a root. It is for roots that are
// confined by a program without such a filter.
#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "seccomp/builtin_filters.h"

namespace {

constexpr int kOwnFailure = 125;
constexpr int kNotExecutable = 126;
constexpr int kNotFound = 127;

int complain(const char* subject, int status) {
  ::dprintf(STDERR_FILENO, "seccomp_wrapper: %s: %s\n", subject, strerror(errno));
  return status;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 2) {
    ::dprintf(STDERR_FILENO, "usage: seccomp_wrapper COMMAND [ARG...]\n");
    return kOwnFailure;
  }
  using isolate::seccomp::kTerminalFilter;
  static_assert(sizeof kTerminalFilter[0] == sizeof(sock_filter));
  sock_fprog program = {};
  program.len = sizeof kTerminalFilter / sizeof(sock_filter);
  program.filter = reinterpret_cast<sock_filter*>(const_cast<unsigned long long*>(kTerminalFilter));
  if (::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) return complain("set no_new_privs", kOwnFailure);
  if (::syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program) != 0) {
    return complain("install the seccomp filter", kOwnFailure);
  }
  ::execvp(argv[1], argv + 1);
  return complain(argv[1], errno == ENOENT ? kNotFound : kNotExecutable);
}
